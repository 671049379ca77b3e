import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { addServiceOption, checkIds, checkService, exampleId, findDeadLetters } from './shared.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import { deadLetterColumns, deadLetterReceivedColumns, toDeadLetterJson } from './columns.ts';
import { formatBody } from '../../output/json-text.ts';
import { printObject } from '../../output/print.ts';
import { zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type DeadLettersShowOptions = { readonly service?: string };

/** Adds `wallet dead-letters show`. */
export function addDeadLettersShow(deadLetters: Command, start: Start): void {
  addServiceOption(deadLetters.command('show').description('show one dead letter in full'))
    .argument('<ID>', 'its id')
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters show ${exampleId}
  wallet dead-letters show ${exampleId} --json`,
    )
    .action(async (id: string, options: DeadLettersShowOptions, command: Command) => {
      await start(command, (context) => runDeadLettersShow(context, id, options));
    });
}

/** `wallet dead-letters show`: all of one, in whatever state, its body below. */
async function runDeadLettersShow(
  context: Context,
  id: string,
  options: DeadLettersShowOptions,
): Promise<CommandOutcome> {
  const service = checkService(options.service);
  if (!service.ok) return service;
  const ids = checkIds([id]);
  if (!ids.ok) return ids;
  const found = await findDeadLetters(context, service.value, ids.value);
  if (!found.ok) return found;
  const letter = found.value[0];
  if (!letter) return fail('UNEXPECTED', 'the server answered without a dead letter');
  const isTable = context.manner.output === 'table';
  const { timezone } = context.settings;
  const columns = deadLetterColumns(timezone, 'list').filter(
    ({ header }) => !isTable || header !== 'body',
  );
  if (isTable) columns.push(...deadLetterReceivedColumns(timezone));
  const row = { service: service.value, letter, isDryRun: false };
  await printObject(context, row, columns, toDeadLetterJson);
  if (isTable && letter.body !== '') await context.io.stdout.write(`\n${formatBody(letter.body)}`);
  return done;
}
