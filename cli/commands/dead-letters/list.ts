import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import {
  addServiceOption,
  checkService,
  checkState,
  deadLetterMethods,
  deadLetterPageSize,
} from './shared.ts';
import { succeed, type CommandOutcome } from '../../outcome.ts';
import { deadLetterColumns, toDeadLetterJson } from './columns.ts';
import { createListPrinter } from '../../output/print.ts';
import { checkLimit, printPages, type PageOptions } from '../shared/paging.ts';
import { addPageOptions, zoneOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type DeadLettersListOptions = PageOptions & {
  readonly service?: string;
  readonly state?: string;
  readonly reason?: string;
};

/** Adds `wallet dead-letters list`. */
export function addDeadLettersList(deadLetters: Command, start: Start): void {
  const list = addServiceOption(deadLetters.command('list').description('list dead letters'))
    .option('--state <STATE>', 'pending, replayed or discarded (default pending)')
    .option('--reason <REASON>', 'only those with this reason');
  addPageOptions(list)
    .option(...zoneOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters list
  wallet dead-letters list --service statement --state replayed --limit 10
  wallet dead-letters list --reason USER_NOT_FOUND --all -o ndjson > unknown-users.ndjson`,
    )
    .action(async (options: DeadLettersListOptions, command: Command) => {
      await start(command, (context) => runDeadLettersList(context, options));
    });
}

/** `wallet dead-letters list`: those still to be decided on, unless another state is asked for. */
async function runDeadLettersList(
  context: Context,
  options: DeadLettersListOptions,
): Promise<CommandOutcome> {
  const limit = checkLimit(options);
  if (!limit.ok) return limit;
  const checkedService = checkService(options.service);
  if (!checkedService.ok) return checkedService;
  const service = checkedService.value;
  const state = checkState(options.state);
  if (!state.ok) return state;
  const columns = deadLetterColumns(context.settings.timezone, 'list');
  const list = createListPrinter(context, columns, toDeadLetterJson);
  const filter = { state: state.value, reason: options.reason ?? '', deadLetterIds: [] };
  const range = {
    limit: limit.value,
    pageToken: options.pageToken,
    ifEmpty: 'no dead letters',
    maxPageSize: deadLetterPageSize,
  };
  return printPages(context, list, range, async (pageSize, pageToken) => {
    const method = deadLetterMethods[service].list;
    const listed = await context.caller.call(method, { ...filter, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { deadLetters, nextPageToken } = listed.value;
    const rows = deadLetters.map((letter) => ({ service, letter, isDryRun: false }));
    return succeed({ rows, nextPageToken });
  });
}
