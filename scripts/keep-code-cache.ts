import { readFileSync, writeFileSync } from 'node:fs';
import vm from 'node:vm';

import { digestOf } from '../cli/load-run.ts';

// Loaded into a process of the built command line: when that ends, what V8 compiled of `run.js` is
// written beside it, for `cli/load-run.ts`.
// tsx turns them on, and then `run.js` is loaded another way.
process.setSourceMapsEnabled(false);

let compiled: { readonly script: vm.Script; readonly file: string } | undefined;

vm.Script = class extends vm.Script {
  constructor(source: string, options: vm.ScriptOptions & { filename: string }) {
    super(source, options);
    compiled = { script: this, file: options.filename };
  }
};

process.on('exit', () => {
  if (!compiled) throw new Error('run.js was not compiled');
  const { script, file } = compiled;
  const data = script.createCachedData();
  const digest = digestOf(readFileSync(file, 'latin1'), data);
  writeFileSync(file.replace(/js$/, 'cache'), Buffer.concat([digest, data]));
});
