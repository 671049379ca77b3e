import type { Context } from '../../context.ts';
import { checkService, checkState, deadLetterMethods, deadLetterPageSize } from './shared.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { deadLetterColumns, toDeadLetterJson } from '../../output/dead-letters.ts';
import { createListPrinter } from '../../output/print.ts';
import { checkLimit, noteMore, type LimitOptions } from '../../input/paging.ts';

export type DeadLettersListOptions = LimitOptions & {
  readonly service?: string;
  readonly state?: string;
  readonly reason?: string;
  readonly pageToken?: string;
};

/** `wallet dead-letters list`: those still to be decided on, unless another state is asked for. */
export async function runDeadLettersList(
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
  let left = limit.value;
  let pageToken = options.pageToken ?? '';
  do {
    const request = {
      pageSize: Math.min(left, deadLetterPageSize),
      pageToken,
      state: state.value,
      reason: options.reason ?? '',
      deadLetterIds: [],
    };
    const listed = await context.caller.call(deadLetterMethods[service].list, request, 'read');
    if (!listed.ok) return listed;
    const { deadLetters, nextPageToken } = listed.value;
    await list.add(deadLetters.map((letter) => ({ service, letter, isDryRun: false })));
    left -= deadLetters.length;
    pageToken = nextPageToken;
  } while (pageToken !== '' && left > 0 && !context.io.stdout.fault);
  await list.end(pageToken === '' ? undefined : pageToken, 'no dead letters');
  await noteMore(context, pageToken);
  return done;
}
