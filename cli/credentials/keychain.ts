import { fork } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { fail, succeed, type Outcome } from '../outcome.ts';
import type { SecretStorage } from './storage.ts';

const service = 'digital-wallet';

export type KeychainRequest = { readonly service: string; readonly account: string } & (
  | { readonly action: 'load' }
  | { readonly action: 'save'; readonly secret: string }
  | { readonly action: 'remove' }
);

export type KeychainAnswer =
  | { readonly ok: true; readonly secret: string | null }
  | { readonly ok: false; readonly problem: string };

export type KeychainOptions = {
  /** The helper's file: .js once built, .ts from source. */
  readonly helperUrl: URL;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
};

const storageHint =
  'start or unlock a keychain, or keep the token in a file that only you can read: ' +
  'wallet sign-in --insecure-storage';

/** The operating system's keychain, always reached through a helper process that can be killed. */
export function openKeychain(options: KeychainOptions): SecretStorage {
  const run = async (
    account: string,
    request: { action: 'load' | 'remove' } | { action: 'save'; secret: string },
  ): Promise<Outcome<string | null>> => {
    const answer = await askHelper(options, { service, account, ...request });
    if (answer.ok) return succeed(answer.secret);
    return fail('KEYCHAIN_UNAVAILABLE', explainProblem(answer.problem), { hint: storageHint });
  };
  const save = async (account: string, secret: string): Promise<Outcome<undefined>> => {
    const saved = await run(account, { action: 'save', secret });
    return saved.ok ? succeed(undefined) : saved;
  };
  return {
    kind: 'keychain',
    load: async (account) => {
      const loaded = await run(account, { action: 'load' });
      return loaded.ok ? succeed(loaded.value ?? undefined) : loaded;
    },
    save,
    reserve: async (account, current) => {
      // Written again as it is: a keychain that cannot be written to says so now.
      const usable = await (current === undefined
        ? run(account, { action: 'load' })
        : save(account, current));
      if (!usable.ok) return usable;
      const commit = (secret: string) => save(account, secret);
      return succeed({ commit, release: () => Promise.resolve() });
    },
    remove: async (account) => {
      const removed = await run(account, { action: 'remove' });
      return removed.ok ? succeed(undefined) : removed;
    },
  };
}

function askHelper(options: KeychainOptions, request: KeychainRequest): Promise<KeychainAnswer> {
  return new Promise((resolve) => {
    const helper = fork(fileURLToPath(options.helperUrl), [], {
      env: options.env,
      execArgv: findExecArgv(options.helperUrl),
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    let isSettled = false;
    const finish = (answer: KeychainAnswer): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      // Even its exit can block, so it is never left to end by itself.
      helper.kill('SIGKILL');
      resolve(answer);
    };
    const timer = setTimeout(() => {
      finish({ ok: false, problem: `no answer within ${options.timeoutMs / 1000} s` });
    }, options.timeoutMs);
    helper.once('message', (message) => {
      finish(message as KeychainAnswer);
    });
    helper.once('error', (error) => {
      finish({ ok: false, problem: error.message });
    });
    helper.once('exit', (code, signal) => {
      finish({ ok: false, problem: `its helper ended with ${signal ?? `code ${code ?? ''}`}` });
    });
    helper.send(request, (error) => {
      if (error) finish({ ok: false, problem: error.message });
    });
  });
}

/** From source the helper needs what this process may have been started with otherwise. */
function findExecArgv(helperUrl: URL): string[] {
  if (!helperUrl.pathname.endsWith('.ts')) return [];
  const loader = createRequire(import.meta.url).resolve('tsx');
  return ['--import', pathToFileURL(loader).href];
}

function explainProblem(problem: string): string {
  if (problem.includes('native addon')) {
    return "the keychain's library cannot be loaded (on Debian: apt-get install libsecret-1-0)";
  }
  if (/org\.freedesktop\.secrets/.test(problem)) {
    return `no keychain service runs in this session (${problem})`;
  }
  if (/D-?Bus|message bus|DBUS/i.test(problem)) {
    return `there is no session bus to reach a keychain on (${problem})`;
  }
  return `the keychain cannot be used: ${problem}`;
}
