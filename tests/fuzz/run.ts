import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Daemon } from '../../scripts/product.ts';
import { createMint, type Mint } from '../access-matrix/forgeries.ts';
import { connect } from '../support/grpc/client.ts';
import { findFreePort } from '../support/free-port.ts';
import { createWorld, expectCode, password, type World } from '../support/processes/world.ts';
import { fuzzArgv, fuzzProcesses } from './argv.ts';
import { fuzzCalls, fuzzFraming, type Players } from './calls.ts';
import { maxRevokedShare, revoked } from './tokens.ts';
import { fuzzCost } from './cost.ts';
import { fuzzFrames } from './frames.ts';
import { fuzzHttpCost } from './http-cost.ts';
import { fuzzHttp, judgeHttpLedger, type Accepted } from './http.ts';
import { fuzzMessages, fuzzTexts } from './pure.ts';
import { createReport, type Report } from './report.ts';
import { judgeLedger, startGoodClient, watchDaemon, watchResources } from './watch.ts';

/**
 * What an input is: of `calls` and `framing` one call; of `frames` one connection with all that is
 * written to it; of `messages` one body; of `texts` one text; of `argv` one command line in this
 * process; of `processes` one process; of `http` one request, or what is none; of `floods` and
 * `httpFloods` one connection with up to 1 MiB, whose processor time is measured, after all others.
 * The numbers are shares.
 */
export const kinds = {
  calls: 300,
  framing: 20,
  frames: 10,
  messages: 330,
  texts: 310,
  argv: 30,
  http: 300,
  processes: 0,
  floods: 0,
  httpFloods: 0,
} as const;

export type Kind = keyof typeof kinds;

export type FuzzOptions = {
  readonly seed: string;
  readonly count: number;
  readonly kinds: readonly Kind[];
  /** The number of the first input of each kind; to do one again. */
  readonly from: number;
  readonly say: (line: string) => void;
};

const warmUp = 3_000;
/** Their keys are not those of the run. */
const warmUpFrom = 1_000_000_000;
const maxProcesses = 20;
/** Each takes some tenths of a second, since nothing else may go on meanwhile. */
const floodsOf = (count: number): number =>
  Math.min(count, Math.max(25, Math.min(400, Math.floor(count / 2_500))));

/** Runs all of it against a daemon of its own. */
export async function fuzz(options: FuzzOptions): Promise<Report> {
  const report = createReport(options.seed, options.say);
  const world = await createWorld();
  try {
    const port = await findFreePort();
    const isHttpOnly = options.kinds.every((kind) => kind.startsWith('http'));
    const daemon = await world.start({
      LOG_LEVEL: 'warn',
      WALLETD_HTTP_LISTEN: `127.0.0.1:${port}`,
      // Over HTTP alone the settings are the defaults.
      ...(isHttpOnly ? {} : { TRUSTED_PROXIES: '127.0.0.1' }),
    });
    const mint = await createMint(world.dataDir);
    await attack({ world, daemon, mint, port }, report, options);
    await mint.close();
  } finally {
    await world.dispose();
  }
  return report;
}

type Target = {
  readonly world: World;
  readonly daemon: Daemon;
  readonly mint: Mint;
  readonly port: number;
};

async function attack(
  { world, daemon, mint, port }: Target,
  report: Report,
  options: FuzzOptions,
): Promise<void> {
  const { say, from } = options;
  const good = await createUser(world, 'good', 'customer');
  const players: Players = { mint, users: await createPlayers(world) };
  const counts = share(options);
  const http = { port, mint, users: await createPlayers(world, 'http') };
  const accepted: Accepted = { amounts: new Map(), unknown: 0 };
  const watched = watchDaemon(report, daemon);
  const resources = watchResources(report, daemon);
  const client = startGoodClient(report, daemon, mint, good);

  // At first code is compiled and caches fill up, with any caller.
  const warming = createReport('warm-up', () => undefined);
  await fuzzCalls(warming, { from: 0, count: warmUp }, daemon.address, players);
  await fuzzHttp(warming, { from: warmUpFrom, count: warmUp }, http, accepted, () => undefined);
  resources.setBaseline();

  const startedAt = performance.now();
  const range = (kind: Kind) => ({ from, count: counts[kind] });
  const env = { ...(await world.homeOf('fuzz')), WALLET_SERVER: daemon.address };
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  const work: Readonly<Record<Kind, () => Promise<void>>> = {
    calls: () => fuzzCalls(report, range('calls'), daemon.address, players),
    framing: () => fuzzFraming(report, range('framing'), daemon.address, players),
    frames: () => fuzzFrames(report, range('frames'), daemon.address),
    messages: () => fuzzMessages(report, range('messages')),
    texts: () => fuzzTexts(report, range('texts')),
    argv: () => fuzzArgv(report, range('argv')),
    processes: () => fuzzProcesses(report, range('processes'), env),
    http: async () => say(await fuzzHttp(report, range('http'), http, accepted, say)),
    // Measured alone, below.
    floods: () => Promise.resolve(),
    httpFloods: () => Promise.resolve(),
  };
  await Promise.all(
    options.kinds.map(async (kind) => {
      await work[kind]();
      say(`${kind}: through after ${seconds().toFixed(1)} s`);
    }),
  );
  const revokedShare = report.shareOf('calls', revoked);
  if (revokedShare > maxRevokedShare) {
    const percent = Math.round(revokedShare * 100);
    report.violate('calls', undefined, `${percent} % of them ended with ${revoked}`);
  }
  if (counts.floods > 0) {
    say(await fuzzCost(report, range('floods'), daemon.address, daemon.pid));
    say(`floods: through after ${seconds().toFixed(1)} s`);
  }
  if (counts.httpFloods > 0) {
    say(await fuzzHttpCost(report, range('httpFloods'), port, daemon.pid));
    say(`httpFloods: through after ${seconds().toFixed(1)} s`);
  }
  const took = seconds();

  const { deposits, starved, balanceMinor } = await client.stop();
  if (BigInt(deposits) !== balanceMinor) {
    report.violate(
      'good client',
      undefined,
      `${deposits} deposits, but a balance of ${balanceMinor}`,
    );
  }
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  say(await resources.evaluate());
  say(await judgeLedger(report, world.dataDir));
  say(await judgeHttpLedger(report, world.dataDir, http.users, accepted));
  watched.evaluate();
  report.print();
  say(`good client: ${deposits} deposits; ${starved} tries more while the daemon got no processor`);
  say(`${took.toFixed(0)} s, ${Math.round(report.inputs / took)} inputs a second`);
}

/** How many inputs of each kind: by its share, of the kinds that are asked for. */
function share({ count, kinds: asked }: FuzzOptions): Record<Kind, number> {
  const whole = asked.reduce((sum, kind) => sum + kinds[kind], 0);
  const counts = Object.fromEntries(Object.keys(kinds).map((kind) => [kind, 0])) as Record<
    Kind,
    number
  >;
  for (const kind of asked) {
    counts[kind] = whole === 0 ? count : Math.floor((count * kinds[kind]) / whole);
  }
  if (asked.includes('processes') && whole > 0) counts.processes = Math.min(maxProcesses, count);
  if (asked.includes('floods')) counts.floods = floodsOf(count);
  if (asked.includes('httpFloods')) counts.httpFloods = floodsOf(count);
  // What rounding left over.
  const sum = Object.values(counts).reduce((a, b) => a + b, 0);
  const [first] = asked;
  if (first && sum < count) counts[first] += count - sum;
  return counts;
}

async function createPlayers(world: World, group = 'player'): Promise<Players['users']> {
  const roles = ['customer', 'customer', 'operator', 'admin'] as const;
  const users = [];
  for (const [i, role] of roles.entries()) {
    users.push({ role, userId: await createUser(world, `${group}${i}`, role) });
  }
  return users;
}

async function createUser(
  world: World,
  name: string,
  role: 'customer' | 'operator' | 'admin',
): Promise<string> {
  const email = `${name}@example.com`;
  const args = ['users', 'create', '--email', email, '--role', role];
  expectCode(await world.walletd(args, password), 0);
  const client = connect(world.daemon().address);
  const request = { email, password, client: 'fuzz', deviceToken: '' };
  const answer = await client.call(AuthServiceService.signIn, request);
  client.close();
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value.user?.id ?? '';
}
