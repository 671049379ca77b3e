import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect } from '../../tests/support/grpc/client.ts';
import { watchBusy } from '../support/cpu.ts';
import { startProduct } from '../support/product.ts';
import { median } from '../support/rounds.ts';
import type { ResultRow, Row } from '../support/row.ts';

const tries = 200;
const atMostPercent = 5;
const networks = 10;

type Taken = { readonly ms: number; readonly cpuMicros: number };
const medianMs = (taken: readonly Taken[]): number => median(taken.map(({ ms }) => ms));
/** A mean: the clock of processor time has steps of 10 ms. */
const meanMicros = (taken: readonly Taken[]): number =>
  taken.reduce((total, { cpuMicros }) => total + cpuMicros, 0) / taken.length;

/**
 * How long a wrong password and an unknown user take, in turn: the time must not tell who has an
 * account. Each account is tried once, so that no throttle of an account is what is measured.
 */
export const signInRow: Row = {
  id: 'sign-in',
  run: async (bench): Promise<readonly ResultRow[]> => {
    const count = bench.isQuick ? 5 : tries;
    const env = { TRUSTED_PROXIES: '127.0.0.1' };
    const product = await startProduct(bench.server, 'sign-in', { users: count + 1, env });
    // From many networks, so that no throttle of a network is measured either.
    const clients = Array.from({ length: networks }, (_, i) =>
      connect(product.address, undefined, { 'x-forwarded-for': `192.0.2.${i + 1}` }),
    );
    let calls = 0;
    const time = async (email: string): Promise<Taken> => {
      const client = clients[calls++ % networks];
      if (!client) throw new Error('there is no such client');
      const cpuBefore = await product.systemCpuMicros();
      const startedAt = performance.now();
      const answer = await client.call(AuthServiceService.signIn, {
        email,
        password: 'certainly not the passphrase',
        client: 'bench',
        deviceToken: '',
      });
      const ms = performance.now() - startedAt;
      const cpuMicros = (await product.systemCpuMicros()) - cpuBefore;
      const reason = answer.ok ? 'OK' : answer.reason;
      if (reason !== 'CREDENTIALS_INVALID') throw new Error(`a sign-in was answered ${reason}`);
      return { ms, cpuMicros };
    };
    try {
      await time(`user-${count}@bench.example`);
      const unknown: Taken[] = [];
      const wrong: Taken[] = [];
      const readBusy = await watchBusy();
      for (let i = 0; i < count; i += 1) {
        const pair = [
          async () => unknown.push(await time(`unknown-${i}@bench.example`)),
          async () => wrong.push(await time(`user-${i}@bench.example`)),
        ];
        for (const next of i % 2 === 0 ? pair : pair.reverse()) await next();
      }
      const busyPercent = await readBusy();
      const [value, baseline] = [medianMs(unknown), medianMs(wrong)];
      const difference = (Math.abs(value - baseline) / baseline) * 100;
      const what = 'sign-in: unknown user beside wrong password';
      const target = `< ${atMostPercent} % apart`;
      const met = difference < atMostPercent;
      const ratio = value / baseline;
      const measured = { value, baseline, ratio, busyPercent };
      const [cpuMicros, baselineCpuMicros] = [meanMicros(unknown), meanMicros(wrong)];
      const cost = { cpuMicros, baselineCpuMicros };
      return [{ id: 'sign-in', what, unit: 'ms', ...measured, ...cost, target, met }];
    } finally {
      clients.forEach((client) => client.close());
      await product.stop();
    }
  },
};
