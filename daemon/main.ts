#!/usr/bin/env node
import { createProgram } from './program.ts';

process.exitCode = await createProgram(process.argv.slice(2));
// What is still open at this point (a hung connection, say) must not keep the process alive.
setTimeout(() => process.exit(), 500).unref();
