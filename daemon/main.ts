#!/usr/bin/env node
// Node would open its debugger on a port. A listener replaces that; it comes before all else loads.
process.on('SIGUSR1', () => undefined);
// A reader that has ended (`| head -1`, a `tee` that Ctrl-C ended) must not end this process.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);

const { watchStopSignals } = await import('./process/stop-signals.ts');
const stop = watchStopSignals();
const { createProgram } = await import('./program.ts');
process.exitCode = await createProgram(process.argv.slice(2), stop);
// What is still open at this point (a hung connection, say) must not keep the process alive.
setTimeout(() => process.exit(), 500).unref();
