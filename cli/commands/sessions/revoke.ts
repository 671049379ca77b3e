import type { Command } from 'commander';

import { describeAddress } from '../../../core/addresses.ts';
import { canonicalId, isUuid } from '../../../core/ids.ts';
import {
  AuthServiceService,
  type RevokeSessionRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { checkConfirmable, confirmChange } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { readSessionId } from '../../credentials/tokens.ts';
import {
  done,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { resolveSessionId } from './shared.ts';
import { printObject } from '../../output/print.ts';
import { identifyActor, resolveUser } from '../users/actor.ts';
import type { Start } from '../shared/start.ts';

type SessionsRevokeOptions = { readonly all?: boolean; readonly user?: string };

/** What is to end: one session, or all of a user. */
type Target = {
  readonly request: NonNullable<RevokeSessionRequest['target']>;
  readonly detail: readonly [label: string, value: string];
  readonly question: string;
  /** The session of this very call is among them. */
  readonly isOwn: boolean;
};

/** Adds `wallet sessions revoke`. */
export function addSessionsRevoke(sessions: Command, start: Start): void {
  sessions
    .command('revoke')
    .description('end a session, or all of them')
    .argument('[SESSION_ID]', 'id of the session, or 8 or more characters of its beginning')
    .option('--all', 'all sessions, including the one in use')
    .option(
      '--user <USER>',
      'with --all or a part of an id: of this user, by e-mail address or id (staff)',
    )
    .addHelpText(
      'after',
      `
Examples:
  wallet sessions revoke 2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21
  wallet sessions revoke --all
  wallet sessions revoke --all --user ana@example.com -y`,
    )
    .action(async (id: string | undefined, options: SessionsRevokeOptions, command: Command) => {
      await start(command, (context) => runSessionsRevoke(context, id, options));
    });
}

/** `wallet sessions revoke`: ends one session, or all of a user. */
async function runSessionsRevoke(
  context: Context,
  id: string | undefined,
  options: SessionsRevokeOptions,
): Promise<CommandOutcome> {
  if ((id === undefined) === (options.all !== true)) {
    return failUsage('session_id', 'give either the id of a session or --all');
  }
  const isWhole = id !== undefined && isUuid(canonicalId(id));
  if (isWhole && options.user !== undefined) {
    return failUsage('user', '--user goes with --all: an id names one session already');
  }
  const confirmable = checkConfirmable(context, 'ending sessions', false);
  if (!confirmable.ok) return confirmable;
  const target =
    id === undefined ? await aimAtAll(context, options) : await aimAtOne(context, id, options);
  if (!target.ok) return target;
  const { request, detail, question, isOwn } = target.value;
  if (isOwn) {
    await context.reporter.warn(
      id === undefined
        ? 'the session in use is among them: sign in again afterwards'
        : 'this is the session in use: sign in again afterwards',
    );
  }
  const confirmed = await confirmChange(context, { details: [detail], question });
  if (!confirmed.ok) return confirmed;
  const method = AuthServiceService.revokeSession;
  const revoked = await context.caller.call(method, { target: request }, 'write');
  if (!revoked.ok) return revoked;
  const columns = [
    {
      header: 'revoked',
      value: (row: { revoked: number }) => String(row.revoked),
      table: { title: 'REVOKED', cell: (row: { revoked: number }) => String(row.revoked) },
    },
  ];
  await printObject(context, { revoked: revoked.value.revoked }, columns, (row) => row);
  return done;
}

async function aimAtOne(
  context: Context,
  id: string,
  options: SessionsRevokeOptions,
): Promise<Outcome<Target>> {
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  const resolved = await resolveSessionId(context, id, user.value?.id ?? '');
  if (!resolved.ok) return resolved;
  const sessionId = resolved.value;
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  return succeed({
    request: { $case: 'sessionId', value: sessionId },
    detail: ['session', sessionId],
    question: 'End this session?',
    isOwn: readSessionId(credential.value.token) === sessionId,
  });
}

async function aimAtAll(
  context: Context,
  options: SessionsRevokeOptions,
): Promise<Outcome<Target>> {
  const identified = await identifyActor(context);
  if (!identified.ok) return identified;
  const caller = identified.value;
  const user = await resolveUser(context, options.user, !context.isConfirmed);
  if (!user.ok) return user;
  const owner = user.value ?? caller;
  if (!owner) return fail('UNEXPECTED', 'the server did not identify the caller');
  const name = owner.email === undefined ? owner.id : describeAddress(owner.email);
  return succeed({
    request: { $case: 'allOfUserId', value: owner.id },
    detail: ['sessions of', owner.email === undefined ? owner.id : `${name} (${owner.id})`],
    question: `End all sessions of ${name}?`,
    isOwn: owner.id === caller?.id,
  });
}
