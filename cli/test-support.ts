import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';

import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type ServiceError,
  type handleServerStreamingCall,
  type handleUnaryCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';

import { reasonCodes, type Reason } from '../core/reasons.ts';
import { AuthServiceService } from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import { ErrorInfo, Status } from '../protos/gen/digitalwallet/common/v1/error.ts';
import { StatementServiceService } from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Direction,
  WalletServiceService,
  type CreateTransactionRequest,
  type CreateTransactionResponse,
  type Transaction,
} from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { readEnvironment } from './config/config.ts';
import type { ExitCode } from './outcome.ts';
import { findUnlistedKeys } from './output/test-support.ts';
import type { Io, WriteFault } from './terminal/io.ts';
import type { Prompter } from './terminal/prompter.ts';
import { runCommandLine } from './run.ts';

export const userId = '5aa80f22-6efa-4bfd-9a2b-2c2ac937d82b';
export const walletId = 'adbcf8b0-01c7-561f-af3e-e0db58fa9b1b';

/** Text that a command wrote, kept to be looked at. */
export type CapturedIo = Io & { out(): string; err(): string };

export function captureIo(
  options: Pick<RunOptions, 'stdin' | 'isTerminal' | 'columns' | 'stdoutFault'> = {},
): CapturedIo {
  const written = { out: '', err: '' };
  const isTerminal = options.isTerminal ?? false;
  let hasTried = false;
  const faultOf = (name: 'out' | 'err') => (name === 'out' ? options.stdoutFault : undefined);
  const into = (name: 'out' | 'err') => ({
    isTerminal,
    columns: options.columns,
    get fault() {
      return hasTried ? faultOf(name) : undefined;
    },
    write: (text: string) => {
      if (text !== '' && name === 'out') hasTried = true;
      if (!faultOf(name)) written[name] += text;
      return Promise.resolve();
    },
  });
  return {
    stdin: Readable.from([options.stdin ?? '']),
    isStdinTerminal: isTerminal,
    stdout: into('out'),
    stderr: into('err'),
    out: () => written.out,
    err: () => written.err,
  };
}

type Ran = { readonly exitCode: ExitCode; readonly out: string; readonly err: string };

export type Cli = {
  readonly configDir: string;
  readonly stateDir: string;
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  remove(): Promise<void>;
};

type RunOptions = {
  readonly env?: Record<string, string>;
  readonly stdin?: string;
  readonly isTerminal?: boolean;
  readonly columns?: number;
  /** What becomes of the first text that is written to stdout. */
  readonly stdoutFault?: WriteFault;
  readonly prompter?: Partial<Prompter>;
};

/** A command line with folders of its own and an otherwise empty environment. */
export async function createCli(env: Record<string, string> = {}): Promise<Cli> {
  const home = await mkdtemp(join(tmpdir(), 'wallet-cli-'));
  const configDir = join(home, 'config');
  const stateDir = join(home, 'state');
  return {
    configDir,
    stateDir,
    run: async (argv, options = {}) => {
      const io = captureIo(options);
      const unasked = () => Promise.reject(new Error('no question was expected'));
      const exitCode = await runCommandLine(argv, {
        environment: readEnvironment({
          WALLET_CONFIG_DIR: configDir,
          WALLET_STATE_DIR: stateDir,
          ...env,
          ...options.env,
        }),
        io,
        prompter: { confirm: unasked, text: unasked, password: unasked, ...options.prompter },
        interrupts: { add: () => () => undefined, takeOver: () => () => undefined },
        keychainHelperUrl: new URL('./keychain-helper.ts', import.meta.url),
      });
      const unlisted = findUnlistedKeys(argv, io.out());
      if (unlisted.length > 0) throw new Error(`not in jsonFields: ${unlisted.join(', ')}`);
      return { exitCode, out: io.out(), err: io.err() };
    },
    remove: () => rm(home, { recursive: true, force: true }),
  };
}

type Handler<Request, Response> = (
  request: Request,
  call: { readonly metadata: Metadata },
) => Response | ServiceError | Promise<Response | ServiceError>;

/**
 * The methods that a test wants answered, by name; the rest is UNIMPLEMENTED. One with a stream of
 * answers gives them as an AsyncIterable, which may throw a refusal.
 */
export type Handlers = Readonly<Record<string, Handler<never, unknown>>>;

export type FakeServer = {
  readonly address: string;
  /** Cuts every connection at once, as a crash does. */
  crash(): void;
};

/** A server of the product's contract on a free loopback port, answering what a test says. */
export async function startFakeServer(
  handlers: Handlers,
  port = 0,
  credentials = ServerCredentials.createInsecure(),
): Promise<FakeServer> {
  const server = new Server();
  for (const definition of [AuthServiceService, WalletServiceService, StatementServiceService]) {
    const names = Object.keys(definition).filter((name) => handlers[name] !== undefined);
    const implementation: UntypedServiceImplementation = {};
    const methods: Readonly<Record<string, { readonly responseStream: boolean }>> = definition;
    for (const name of names) {
      const handler = handlers[name];
      implementation[name] = methods[name]?.responseStream ? toStream(handler) : toUnary(handler);
    }
    server.addService(definition, implementation);
  }
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error, actual) => {
      if (error) reject(error);
      else resolve(actual);
    });
  });
  return {
    address: `127.0.0.1:${bound}`,
    crash: () => {
      server.forceShutdown();
    },
  };
}

function toUnary(handler: Handler<never, unknown> | undefined): handleUnaryCall<unknown, unknown> {
  return (call, callback) => {
    void Promise.resolve(handler?.(call.request as never, call)).then((answer) => {
      if (answer instanceof Error) callback(answer);
      else callback(null, answer);
    });
  };
}

function toStream(
  handler: Handler<never, unknown> | undefined,
): handleServerStreamingCall<unknown, unknown> {
  return (call) => {
    const send = async (): Promise<void> => {
      const answers = (await handler?.(call.request as never, call)) as AsyncIterable<unknown>;
      for await (const answer of answers) call.write(answer);
    };
    send().then(
      () => call.end(),
      (error: unknown) => call.emit('error', error),
    );
  };
}

/** An error as the server sends it. */
export function refusal(
  reason: Reason,
  message: string,
  metadata: Record<string, string> = {},
): ServiceError {
  const code = status[reasonCodes[reason]];
  const info = ErrorInfo.fromPartial({ reason, domain: 'digitalwallet', metadata });
  const details = Status.fromPartial({
    code,
    message,
    details: [
      {
        typeUrl: 'type.googleapis.com/google.rpc.ErrorInfo',
        value: Buffer.from(ErrorInfo.encode(info).finish()),
      },
    ],
  });
  const trailers = new Metadata();
  trailers.set('grpc-status-details-bin', Buffer.from(Status.encode(details).finish()));
  return Object.assign(new Error(message), { code, details: message, metadata: trailers });
}

/** The answer to a transaction that was made as asked. */
export function created(
  { item }: CreateTransactionRequest,
  replayed = false,
): CreateTransactionResponse {
  const transaction: Transaction = {
    id: 'b4013d1d-f8a6-54ce-835e-4d4f030245d6',
    walletId,
    userId,
    currency: item?.currency ?? 'BRL',
    seq: 1n,
    operation: item?.operation ?? 0,
    amountMinor: item?.amountMinor ?? 100n,
    direction: Direction.CREDIT,
    balanceAfterMinor: 12_345n,
    contraAccount: item?.toUserId ? `user:${item.toUserId}` : `external:${item?.via ?? 'cash'}`,
    parentId: item?.parentId,
    description: item?.description,
    merchant: item?.merchant,
    metadata: { ...item?.metadata, ...(item?.reference && { reference: item.reference }) },
    counterpartyUserId: item?.toUserId,
    actor: userId,
    occurredAt: new Date('2026-11-22T12:00:00.123Z'),
    hash: Buffer.alloc(32),
  };
  return { transaction, replayed };
}

/** An unsigned access token of this user, for WALLET_TOKEN. */
export function fakeToken(subject = userId, claims: object = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode({ alg: 'none' })}.${encode({ sub: subject, ...claims })}.x`;
}
