// Finds which file cites which requirement by reading the specs, not by running them.
import { readdirSync, readFileSync } from 'node:fs';
import { parseSync } from '@swc/core';
import { citedIn } from './requirements.mjs';

const folder = new URL('../spec/', import.meta.url);

/** The strings of a TypeScript source: names of tests and the tables they are made of, but no comments. */
export function textsOf(source) {
  const texts = [];
  const walk = (node) => {
    if (node === null || typeof node !== 'object') return;
    if (node.type === 'StringLiteral') texts.push(node.value);
    if (node.type === 'TemplateElement') texts.push(node.raw);
    for (const part of Object.values(node)) walk(part);
  };
  walk(parseSync(source, { syntax: 'typescript', target: 'es2022' }));
  return texts;
}

/** The files below spec/ that cite each requirement, by its id. */
export function citingSpecs() {
  const files = new Map();
  const specs = readdirSync(folder, { recursive: true })
    // The list itself, the spec of the gate, which makes citations up, and the list of attacks, which names tests of others.
    .filter((file) => file.endsWith('.ts') && !/^(requirements\.(spec\.)?|attacks.attacks\.)ts$/.test(file))
    .sort();
  for (const file of specs) {
    for (const id of new Set(textsOf(readFileSync(new URL(file, folder), 'utf8')).flatMap(citedIn))) {
      files.set(id, [...(files.get(id) ?? []), file]);
    }
  }
  return files;
}
