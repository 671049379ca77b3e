import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { mutants } from './list.ts';
import { applyEdits, groupByFile } from './planted.ts';

describe('planted defects', () => {
  it.each(mutants)('$name: each of its texts is in its source exactly once', ({ edits }) => {
    for (const [file, own] of groupByFile(edits)) {
      const text = readFileSync(file, 'utf8');
      expect(applyEdits(text, own)).not.toBe(text);
    }
  });

  it('each has a name of its own', () => {
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length);
  });

  it.each([
    ['absent', 'const b = 1;'],
    ['there twice', 'const a = 1; const a = 1;'],
  ])('a text that is %s is an error', (_what, text) => {
    const edit = { file: 'file.ts', before: 'const a = 1;', after: '' };
    expect(() => applyEdits(text, [edit])).toThrow('file.ts has this');
  });
});
