import { CibaError, hashUserCode, matchesUserCode } from 'oidc-provider-ciba';

describe('a user code that is hashed [UC-5]', () => {
  it('is matched by itself and by nothing else', async () => {
    const hash = await hashUserCode('2468 blue');
    expect(await matchesUserCode('2468 blue', hash)).toBe(true);
    for (const other of ['2468 Blue', '2468 blu', '2468blue', '', '    ']) {
      expect(await matchesUserCode(other, hash)).toBe(false);
    }
  });

  it('is not in its hash, and two hashes of it are not the same', async () => {
    const [one, other] = await Promise.all([hashUserCode('2468'), hashUserCode('2468')]);
    expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=3\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one.split('$')[3]).not.toBe(other.split('$')[3]);
    expect(one.split('$')[4]).not.toBe(other.split('$')[4]);
  });

  it.each([
    ['spaces around it', '  2468 '],
    ['full-width digits', '２４６８'],
    ['a line break after it', '2468\n'],
  ])('is the same with %s', async (_what, typed) => {
    expect(await matchesUserCode(typed, await hashUserCode('2468'))).toBe(true);
    expect(await matchesUserCode('2468', await hashUserCode(typed))).toBe(true);
  });

  it('is the same however its accents are written', async () => {
    expect(await matchesUserCode('Zu\u0308rich', await hashUserCode('Z\u00fcrich'))).toBe(true);
  });

  it.each(['1234', '😀😀😀😀', 'x'.repeat(64), '😀'.repeat(64)])('may be %s', async (code) => {
    expect(await matchesUserCode(code, await hashUserCode(code))).toBe(true);
  });

  it.each([
    ['too short', '123'],
    ['too short but for spaces', ' 12 '],
    ['too short, in characters', '😀😀😀'],
    ['too long', 'x'.repeat(65)],
    ['empty', ''],
    ['no text', 1234 as never],
  ])('is refused where it is %s', async (_what, code) => {
    const error = await hashUserCode(code).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CibaError);
    expect(error).toMatchObject({ code: 'unfit_user_code' });
  });

  it.each(['hunter22', ' hunter22 ', 'ｈunter22'])(
    'is refused where it is the password: %j',
    async (code) => {
      const refusing = hashUserCode(code, { isPassword: async (typed) => typed === 'hunter22' });
      await expect(refusing).rejects.toMatchObject({
        code: 'unfit_user_code',
        message: 'the code must not be the password',
      });
    },
  );

  it('is refused where it is a password that begins with a space', async () => {
    const refusing = hashUserCode(' hunter22', { isPassword: (typed) => typed === ' hunter22' });
    await expect(refusing).rejects.toMatchObject({ code: 'unfit_user_code' });
  });

  it('is not hashed where the password cannot be looked at', async () => {
    const isPassword = (): never => {
      throw new Error('the directory is away');
    };
    await expect(hashUserCode('2468', { isPassword })).rejects.toThrow('the directory is away');
  });

  it('is not said in an error', async () => {
    const error = await hashUserCode('s3cret', { isPassword: () => true }).catch((thrown: Error) => thrown);
    expect(JSON.stringify(error) + String(error)).not.toContain('s3cret');
  });
});

describe('a hash that is none', () => {
  const salt = 'A'.repeat(22);
  const key = 'A'.repeat(43);
  const broken: readonly (readonly [what: string, hash: unknown])[] = [
    ['missing', undefined],
    ['null', null],
    ['empty', ''],
    ['a number', 7],
    ['the code itself', '2468'],
    ['of another kind', `$argon2id$v=19$m=65536,t=3,p=4$${salt}$${key}`],
    ['without a salt', `$scrypt$ln=15,r=8,p=3$$${key}`],
    ['cut', `$scrypt$ln=15,r=8,p=3$${salt}$${key.slice(1)}`],
    ['of all that a process has', `$scrypt$ln=30,r=8,p=1$${salt}$${key}`],
    ['of a large block', `$scrypt$ln=17,r=99,p=1$${salt}$${key}`],
    ['of endless passes', `$scrypt$ln=10,r=8,p=99$${salt}$${key}`],
    ['of no cost', `$scrypt$ln=0,r=0,p=0$${salt}$${key}`],
    ['with something after it', `$scrypt$ln=15,r=8,p=3$${salt}$${key}\n`],
  ];
  it.each(broken)('%s: matches nothing', async (_what, hash) => {
    expect(await matchesUserCode('2468', hash as string)).toBe(false);
  });

  it('costs as much work as a good one, so that nobody learns who has a code [A38]', async () => {
    const hash = await hashUserCode('2468');
    // The least of some: whatever else the process does comes on top.
    const spent = async (stored: string | undefined): Promise<number> => {
      const costs: number[] = [];
      while (costs.length < 5) {
        const before = process.cpuUsage();
        await matchesUserCode('1357', stored);
        const { user, system } = process.cpuUsage(before);
        costs.push(user + system);
      }
      return Math.min(...costs);
    };
    expect(await spent(undefined)).toBeGreaterThan((await spent(hash)) / 4);
    expect(await spent('nonsense')).toBeGreaterThan((await spent(hash)) / 4);
  });
});

describe('a hash of other costs', () => {
  it('is read with them: a server may have raised or lowered what it spends', async () => {
    const { scryptSync } = await import('node:crypto');
    const salt = Buffer.from('sixteen bytes ok');
    const key = scryptSync('pleaseletmein', salt, 32, { N: 2 ** 14, r: 8, p: 1 });
    const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');
    const hash = `$scrypt$ln=14,r=8,p=1$${base64(salt)}$${base64(key)}`;
    expect(await matchesUserCode('pleaseletmein', hash)).toBe(true);
    expect(await matchesUserCode('pleaseletmeout', hash)).toBe(false);
  });
});
