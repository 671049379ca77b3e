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
import { openList, printPages, type PageOptions } from '../shared/paging.ts';
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
  const columns = deadLetterColumns(context.settings.timezone, 'list');
  const list = openList(context, options, columns, toDeadLetterJson);
  if (!list.ok) return list;
  const checkedService = checkService(options.service);
  if (!checkedService.ok) return checkedService;
  const service = checkedService.value;
  const state = checkState(options.state);
  if (!state.ok) return state;
  const filter = { state: state.value, reason: options.reason ?? '', deadLetterIds: [] };
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = deadLetterMethods[service].list;
    const listed = await context.caller.call(method, { ...filter, pageSize, pageToken }, 'read');
    if (!listed.ok) return listed;
    const { deadLetters, nextPageToken } = listed.value;
    const rows = deadLetters.map((letter) => ({ service, letter, isDryRun: false }));
    return succeed({ rows, nextPageToken });
  };
  const pages = { ifEmpty: 'no dead letters', maxPageSize: deadLetterPageSize, fetch };
  return printPages(context, list.value, pages);
}
