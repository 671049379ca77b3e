import type { Command } from 'commander';

import { operations } from '../../core/operations.ts';
import { apiKeyScopes } from '../../core/scopes.ts';
import type { ApiKeysCreateOptions } from '../commands/api-keys/create.ts';
import type { ApiKeysListOptions } from '../commands/api-keys/list.ts';
import type { SessionsListOptions } from '../commands/sessions/list.ts';
import type { SessionsRevokeOptions } from '../commands/sessions/revoke.ts';
import { addPageOptions, addZoneOption, collect } from './options.ts';
import type { Start } from './start.ts';

const id = '2f9f5b0e-6c1d-4e0a-9a38-7b1f5d0c4e21';

/** sessions list|revoke, api-keys create|list|revoke. */
export function addAccessCommands(program: Command, start: Start): void {
  addSessions(program, start);
  const keys = program.command('api-keys').description('credentials for programs');
  addKeyCreate(keys, start);
  addKeyOthers(keys, start);
}

function addSessions(program: Command, start: Start): void {
  const sessions = program.command('sessions').description('where you are signed in');
  const list = sessions
    .command('list')
    .description('list sessions; the one in use is marked')
    .option('--user <USER>', 'of this user: e-mail address or id (staff)');
  addZoneOption(addPageOptions(list))
    .addHelpText(
      'after',
      `
Examples:
  wallet sessions list
  wallet sessions list --user ana@example.com`,
    )
    .action(async (options: SessionsListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runSessionsList } = await import('../commands/sessions/list.ts');
        return runSessionsList(context, options);
      });
    });

  sessions
    .command('revoke')
    .description('end a session, or all of them')
    .argument('[SESSION_ID]', 'which one')
    .option('--all', 'all of them, the one in use too')
    .option('--user <USER>', 'with --all: of this user, by e-mail address or id (staff)')
    .addHelpText(
      'after',
      `
Examples:
  wallet sessions revoke ${id}
  wallet sessions revoke --all
  wallet sessions revoke --all --user ana@example.com -y`,
    )
    .action(
      async (sessionId: string | undefined, options: SessionsRevokeOptions, command: Command) => {
        await start(command, async (context) => {
          const { runSessionsRevoke } = await import('../commands/sessions/revoke.ts');
          return runSessionsRevoke(context, sessionId, options);
        });
      },
    );
}

function addKeyCreate(keys: Command, start: Start): void {
  const create = keys
    .command('create')
    .description('create an API key; its secret is shown once')
    .option('--name <NAME>', 'what it is for')
    .option('--scope <SCOPE>', `${apiKeyScopes.join(', ')}; can be given more than once`, collect)
    .option('--wallet <WALLET_ID>', 'only this wallet (default: all that you may use)')
    .option(
      '--operation <OPERATION>',
      `only this operation, of ${operations.join(', ')}; can be given more than once`,
      collect,
    )
    .option('--expires-in <TIME>', 'how long it works, like 12h, 90d or 4w (default 90d)')
    .option('--expires-at <TIME>', 'until when instead: a date, that day included, or a time');
  addZoneOption(create)
    .addHelpText(
      'after',
      `
Examples:
  wallet api-keys create --name shop --scope transactions:write --operation purchase > key
  wallet api-keys create --name report --scope wallets:read --scope statements:read --json
  WALLET_TOKEN=$(cat key) wallet whoami

A table's stdout is the secret alone; the rest goes to stderr. With json, ndjson and csv the secret
is a field. A key can do what its owner can, within its scopes, and never change accounts.`,
    )
    .action(async (options: ApiKeysCreateOptions, command: Command) => {
      await start(command, async (context) => {
        const { runApiKeysCreate } = await import('../commands/api-keys/create.ts');
        return runApiKeysCreate(context, options);
      });
    });
}

function addKeyOthers(keys: Command, start: Start): void {
  const list = keys
    .command('list')
    .description('list API keys, without their secrets')
    .option('--user <USER>', 'of this user: e-mail address or id (admins)');
  addZoneOption(addPageOptions(list))
    .addHelpText('after', '\nExamples:\n  wallet api-keys list')
    .action(async (options: ApiKeysListOptions, command: Command) => {
      await start(command, async (context) => {
        const { runApiKeysList } = await import('../commands/api-keys/list.ts');
        return runApiKeysList(context, options);
      });
    });

  keys
    .command('revoke')
    .description('make an API key useless, for good')
    .argument('<API_KEY_ID>', 'which one')
    .addHelpText('after', `\nExamples:\n  wallet api-keys revoke ${id}`)
    .action(async (keyId: string, _options: unknown, command: Command) => {
      await start(command, async (context) => {
        const { runApiKeysRevoke } = await import('../commands/api-keys/revoke.ts');
        return runApiKeysRevoke(context, keyId);
      });
    });
}
