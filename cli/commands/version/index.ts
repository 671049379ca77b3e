import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { version } from '../../config/version.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import type { Start } from '../shared/start.ts';

/** `wallet version` */
export function addVersionCommand(program: Command, start: Start): void {
  program
    .command('version')
    .description('print the version of this program')
    .addHelpText(
      'after',
      `
Examples:
  wallet version
  wallet version --json

The server is not asked: wallet doctor compares the versions of both.`,
    )
    .action(async (_options: unknown, command: Command) => {
      await start(command, runVersion, { isLenient: true });
    });
}

/** The version, and what runs it, for reports of defects. */
async function runVersion(context: Context): Promise<CommandOutcome> {
  const system = {
    version,
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
  };
  if (context.manner.output === 'table') {
    await context.io.stdout.write(`wallet ${version}\n`);
    return done;
  }
  const columns = [
    { header: 'version', value: () => system.version },
    { header: 'node', value: () => system.node },
    { header: 'platform', value: () => system.platform },
    { header: 'arch', value: () => system.arch },
  ];
  await printObject(context, undefined, columns, () => system);
  return done;
}
