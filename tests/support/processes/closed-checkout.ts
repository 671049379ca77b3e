import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** A copy of the built daemon with its libraries in a folder that only its owner can enter. */
export type ClosedCheckout = { readonly walletd: string; remove(): void };

/** Beside the build, so that links do instead of copies. */
export function createClosedCheckout(): ClosedCheckout {
  const folder = mkdtempSync(resolve('dist/closed-'));
  chmodSync(folder, 0o700);
  mkdirSync(join(folder, 'dist'));
  const copy = (from: string, to: string): void =>
    void execFileSync('cp', ['-rl', resolve(from), join(folder, to)]);
  copy('dist/daemon', 'dist/daemon');
  for (const name of ['node_modules', 'migrations', 'package.json']) copy(name, name);
  return {
    walletd: join(folder, 'dist/daemon/main.js'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
