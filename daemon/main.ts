#!/usr/bin/env node
// Node would open its debugger on a port. A listener replaces that; it comes before all else loads.
process.on('SIGUSR1', () => undefined);

const { createProgram } = await import('./program.ts');
process.exitCode = await createProgram(process.argv.slice(2));
// What is still open at this point (a hung connection, say) must not keep the process alive.
setTimeout(() => process.exit(), 500).unref();
