import { Links } from '../../lib/request/links.js';
import { Seals } from '../../lib/request/seals.js';

const HANDLE = 'abcdefghijklmnopqrstuv';
const seals = new Seals(['a secret of the server']);
const links = new Links(seals, 'https://op.example/ciba/decide');

describe('a link', () => {
  it('leads to the page, and its token to the handle', () => {
    const link = links.to(HANDLE);
    expect(link).toMatch(/^https:\/\/op\.example\/ciba\/decide\/abcdefghijklmnopqrstuv\.[\w-]{22}$/);
    expect(links.handleOf(link.split('/').at(-1) ?? '')).toBe(HANDLE);
  });

  it.each([
    ['of another handle', links.tokenOf('vutsrqponmlkjihgfedcba').replace(/^[^.]+/, HANDLE)],
    ['with one character changed', links.tokenOf(HANDLE).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
    ['that is only a handle', HANDLE],
    ['with nothing sealed', `${HANDLE}.`],
    ['with more behind it', `${links.tokenOf(HANDLE)}.x`],
    ['of another server', new Links(new Seals(['another secret']), '').tokenOf(HANDLE)],
    ['sealed for another purpose', `${HANDLE}.${seals.of('form', HANDLE)}`],
    ['that is empty', ''],
    ['that is long', 'x'.repeat(100_000)],
    ['that is not ASCII', `${HANDLE}.éééééééééééééééééééééé`],
  ])('%s is none', (_, token) => {
    expect(links.handleOf(token)).toBeUndefined();
  });

  it('outlives a change of the secrets while the old one is still listed', () => {
    const changed = new Links(new Seals(['a new secret', 'a secret of the server']), '');
    expect(changed.handleOf(links.tokenOf(HANDLE))).toBe(HANDLE);
    expect(links.handleOf(changed.tokenOf(HANDLE))).toBeUndefined();
  });
});

describe('seals', () => {
  it('tell parts apart however they are cut', () => {
    expect(seals.of('form', 'ab', 'c')).not.toBe(seals.of('form', 'a', 'bc'));
    expect(seals.fits(seals.of('form', 'ab', 'c'), 'form', 'a', 'bc')).toBe(false);
  });

  it('need a secret', () => {
    expect(() => new Seals([])).toThrow(RangeError);
  });
});
