#!/usr/bin/env node
// Node would open its debugger on a port, and any local process could read the tokens. A listener
// replaces that.
process.on('SIGUSR1', () => undefined);

const [argument, ...others] = process.argv.slice(2);

// No await at the top level: built, this is CommonJS.
if ((argument === '--version' || argument === '-V') && others.length === 0) {
  // Before anything else is loaded: scripts ask for it often.
  void import('./config/version.ts').then(({ printVersion }) => {
    process.exitCode = printVersion() ? 0 : 1;
  });
} else {
  // The helper stands beside this file, from source as well as built.
  const ending = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const helperUrl = new URL(`./keychain-helper.${ending}`, import.meta.url);
  void import('./run.ts').then(({ runProcess }) => runProcess(helperUrl));
}
