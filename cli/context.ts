import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { AuthServiceService } from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Clock } from './rpc/retry.ts';
import { createCaller, type RpcCaller } from './rpc/caller.ts';
import type { Connection } from './rpc/client.ts';
import type { Environment } from './config/config.ts';
import { openTokensByEmail, type TokensByEmail } from './credentials/device-tokens.ts';
import { openInsecureFiles } from './credentials/insecure-file.ts';
import { openKeychain } from './credentials/keychain.ts';
import { openAccounts, type Accounts } from './credentials/accounts.ts';
import { accountOf } from './credentials/records.ts';
import { openCredentials, type Credentials } from './credentials/session.ts';
import type { SecretStorage, StorageKind } from './credentials/storage.ts';
import type { Outcome } from './outcome.ts';
import type { Io } from './terminal/io.ts';
import { openPendingKeys, type PendingKeys } from './files/pending.ts';
import type { Prompter } from './terminal/prompter.ts';
import type { Origin, Settings, SettingValues } from './config/settings.ts';
import type { Manner, Reporter } from './terminal/reporter.ts';

const keychainTimeoutMs = 3000;

/** Things to say before the process ends on Ctrl-C. */
export type Interrupts = {
  /** Returns how to take the action back. */
  add(action: () => void): () => void;
  /**
   * Leaves the first Ctrl-C to the command, which ends by itself; a second one ends the process as
   * ever. Returns how to give it back.
   */
  takeOver(action: () => void): () => void;
};

/** All that a command works with. Nothing else reaches outside. */
export type Context = {
  readonly io: Io;
  readonly manner: Manner;
  readonly reporter: Reporter;
  readonly prompter: Prompter;
  /** A person can be asked: both ends are terminals, and neither --json nor --no-input is given. */
  readonly canPrompt: boolean;
  readonly isConfirmed: boolean;
  readonly settings: Settings;
  readonly settingValues: SettingValues;
  readonly environment: Environment;
  readonly profile: string;
  readonly profileOrigin: Origin;
  /** `<profile>@<server>`, the name in the keychain. */
  readonly account: string;
  readonly caller: RpcCaller;
  readonly credentials: Credentials;
  readonly accounts: Accounts;
  /** Where tokens are kept; for checks of the storage itself. */
  readonly storageOf: (kind: StorageKind) => SecretStorage;
  /** What the server knows this machine by at the next sign-in. */
  readonly deviceTokens: TokensByEmail;
  /** Of sign-ups that wait for their mailed code. */
  readonly signUpTokens: TokensByEmail;
  readonly pendingKeys: PendingKeys;
  readonly interrupts: Interrupts;
  readonly clock: Clock;
  readonly newKey: () => string;
  close(): void;
};

export type ContextParts = Pick<
  Context,
  | 'io'
  | 'manner'
  | 'reporter'
  | 'prompter'
  | 'canPrompt'
  | 'isConfirmed'
  | 'settings'
  | 'settingValues'
  | 'environment'
  | 'profile'
  | 'profileOrigin'
  | 'interrupts'
> & { readonly keychainHelperUrl: URL };

/** Puts a command's world together. Connects to nothing yet. */
export function createContext(parts: ContextParts): Context {
  const { environment, settings, profile, reporter } = parts;
  const { configDir, stateDir } = environment.paths;
  const account = accountOf(profile, settings.server.text);
  const clock: Clock = {
    now: () => Date.now(),
    elapsed: () => performance.now(),
    sleep: (durationMs) => delay(durationMs),
  };
  const lazy = createLazyConnection(settings);
  const storageOf = (kind: StorageKind): SecretStorage =>
    kind === 'file'
      ? openInsecureFiles(join(configDir, 'credentials'))
      : openKeychain({
          helperUrl: parts.keychainHelperUrl,
          env: environment.helperEnv,
          timeoutMs: keychainTimeoutMs,
        });
  const accounts = openAccounts({
    ...{ configDir, stateDir, storageOf },
    lockWaitMs: settings.timeoutMs,
  });
  const credentials = openCredentials({
    account,
    token: environment.token,
    accounts,
    now: clock.now,
    refresh: (refreshToken) =>
      caller.callAs(undefined, AuthServiceService.refreshSession, { refreshToken }, 'refresh'),
    checkServer: () => caller.checkServer(),
    warn: (message) => reporter.warnAlways(message),
  });
  const caller = createCaller({
    connect: lazy.connect,
    credentials,
    timeoutMs: settings.timeoutMs,
    clock,
    detail: (message) => reporter.detail(message),
  });
  return {
    ...parts,
    account,
    caller,
    credentials,
    accounts,
    storageOf,
    deviceTokens: openTokensByEmail(join(configDir, 'devices')),
    signUpTokens: openTokensByEmail(join(configDir, 'sign-ups')),
    pendingKeys: openPendingKeys(join(stateDir, 'pending'), clock.now),
    clock,
    newKey: randomUUID,
    close: lazy.close,
  };
}

function createLazyConnection(settings: Settings): {
  connect: () => Promise<Outcome<Connection>>;
  close: () => void;
} {
  let opened: Outcome<Connection> | undefined;
  return {
    connect: async () => {
      const { openConnection } = await import('./rpc/client.ts');
      opened ??= openConnection(settings);
      return opened;
    },
    close: () => {
      if (opened?.ok) opened.value.close();
    },
  };
}
