import type { Command } from 'commander';

import { canonicalUuid } from '../../../core/ids.ts';
import {
  DeadLetterState,
  type DeadLetter,
} from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  WalletServiceService,
  type DiscardDeadLettersRequest,
  type DiscardDeadLettersResponse,
  type ListDeadLettersRequest,
  type ListDeadLettersResponse,
  type ReplayDeadLettersRequest,
  type ReplayDeadLettersResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Method } from '../../rpc/method.ts';
import type { Context } from '../../context.ts';
import { exitCodes, failUnknown, failUsage, succeed, type Outcome } from '../../outcome.ts';

export const deadLetterServices = ['wallet', 'statement'] as const;
export const deadLetterStates = ['pending', 'replayed', 'discarded'] as const;

/** The services that take messages, and keep those that they cannot handle. */
export type DeadLetterService = (typeof deadLetterServices)[number];
type StateName = (typeof deadLetterStates)[number];

/** The id in the examples of the help. */
export const exampleId = '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11';

/** --service, of every command for dead letters. */
export function addServiceOption(command: Command): Command {
  return command.option('--service <SERVICE>', 'wallet or statement (default wallet)');
}

const deadLetterStateNumbers: Readonly<Record<StateName, DeadLetterState>> = {
  pending: DeadLetterState.PENDING,
  replayed: DeadLetterState.REPLAYED,
  discarded: DeadLetterState.DISCARDED,
};

type DeadLetterMethods = {
  readonly list: Method<ListDeadLettersRequest, ListDeadLettersResponse>;
  readonly replay: Method<ReplayDeadLettersRequest, ReplayDeadLettersResponse>;
  readonly discard: Method<DiscardDeadLettersRequest, DiscardDeadLettersResponse>;
};

/** Both services have the same three, with messages of the same content. */
export const deadLetterMethods: Readonly<Record<DeadLetterService, DeadLetterMethods>> = {
  wallet: {
    list: WalletServiceService.listDeadLetters,
    replay: WalletServiceService.replayDeadLetters,
    discard: WalletServiceService.discardDeadLetters,
  },
  statement: {
    list: StatementServiceService.listDeadLetters,
    replay: StatementServiceService.replayDeadLetters,
    discard: StatementServiceService.discardDeadLetters,
  },
};

/** Bodies may be long: a page of them has to fit into one answer. */
export const deadLetterPageSize = 50;

/** `unknown` for a number from a newer server. */
export function nameDeadLetterState(state: DeadLetterState): StateName | 'unknown' {
  return deadLetterStates.find((name) => deadLetterStateNumbers[name] === state) ?? 'unknown';
}

export function checkService(text = 'wallet'): Outcome<DeadLetterService> {
  const known = deadLetterServices.find((name) => name === text);
  return known ? succeed(known) : failUnknown('service', text, deadLetterServices);
}

export function checkState(text = 'pending'): Outcome<DeadLetterState> {
  const known = deadLetterStates.find((name) => name === text);
  if (!known) return failUnknown('state', text, deadLetterStates);
  return succeed(deadLetterStateNumbers[known]);
}

/** The ids as the server writes them, each once. Which there are is for the server to say. */
export function checkIds(ids: readonly string[]): Outcome<readonly string[]> {
  if (ids.includes('')) return failUsage('dead_letter_id', 'must not be empty');
  const canonical = ids.map((id) => canonicalUuid(id) ?? id);
  return succeed([...new Set(canonical)]);
}

/** The dead letters with these ids, in whatever state; it is a failure if one is missing. */
export async function findDeadLetters(
  context: Pick<Context, 'caller'>,
  service: DeadLetterService,
  ids: readonly string[],
): Promise<Outcome<readonly DeadLetter[]>> {
  const found: DeadLetter[] = [];
  let pageToken = '';
  do {
    const request: ListDeadLettersRequest = {
      pageSize: deadLetterPageSize,
      pageToken,
      state: DeadLetterState.UNSPECIFIED,
      reason: '',
      deadLetterIds: [...ids],
    };
    const listed = await context.caller.call(deadLetterMethods[service].list, request, 'read');
    if (!listed.ok) return listed;
    found.push(...listed.value.deadLetters);
    pageToken = listed.value.nextPageToken;
  } while (pageToken !== '');
  const missing = ids.filter((id) => !found.some((letter) => letter.id === id));
  return missing.length === 0 ? succeed(found) : failNotFound(service, missing);
}

/** DEAD_LETTER_NOT_FOUND, as the server would say it. */
function failNotFound(service: DeadLetterService, ids: readonly string[]): Outcome<never> {
  return {
    ok: false,
    failure: {
      reason: 'DEAD_LETTER_NOT_FOUND',
      message: `the ${service} service has no dead letter ${ids.join(', ')}`,
      exitCode: exitCodes.notFound,
      hint: `wallet dead-letters list${service === 'wallet' ? '' : ` --service ${service}`}`,
    },
  };
}
