import { randomUUID } from 'node:crypto';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { ServiceStatus } from '../../../protos/gen/digitalwallet/common/v1/status.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { version } from '../../config/version.ts';
import type { Connection } from '../../rpc/client.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import { compareClocks, type ClockSample } from './clock.ts';
import { callTimeoutMs } from './connection.ts';
import { skipped, toProblem, warning, type Finding, type ServiceName } from './finding.ts';
import { describeOperations } from './operations.ts';
import { compareVersions, describeSchema } from './versions.ts';

const methods = {
  auth: AuthServiceService.getStatus,
  wallet: WalletServiceService.getStatus,
  statement: StatementServiceService.getStatus,
} as const satisfies Readonly<Record<ServiceName, unknown>>;

const serviceNames = Object.keys(methods) as readonly ServiceName[];

type Answered = { readonly status: ServiceStatus; readonly sample: ClockSample | undefined };

/** What the services say of themselves: clock, versions, schemas, and for staff what waits. */
export async function checkServer(
  connection: Connection | undefined,
  token: string | undefined,
): Promise<readonly Finding[]> {
  const what = 'clock, versions, schemas';
  if (!connection) return [skipped('services', `${what}: the server cannot be asked`)];
  if (token === undefined) {
    return [skipped('services', `${what}: the server reports them to signed-in users only`)];
  }
  const answers: [ServiceName, Answered][] = [];
  const failures: Finding[] = [];
  // One by one: each measures the clock.
  for (const name of serviceNames) {
    const asked = await askStatus(connection, name, token);
    if ('status' in asked) answers.push([name, asked]);
    else failures.push(asked);
  }
  const statuses = answers.map(([name, { status }]) => [name, status] as const);
  const samples = answers.flatMap(([, { sample }]) => sample ?? []);
  return [
    ...failures,
    ...compareClocks(samples),
    ...compareVersions(version, statuses),
    ...statuses.map(([name, { schema }]) => describeSchema(name, schema)),
    ...describeOperations(statuses),
  ];
}

async function askStatus(
  connection: Connection,
  name: ServiceName,
  token: string,
): Promise<Answered | Finding> {
  const startMs = performance.now();
  const sentAtMs = Date.now();
  const asked = await connection.request(
    methods[name],
    {},
    { token, requestId: randomUUID(), deadlineMs: startMs + callTimeoutMs },
  );
  const roundTripMs = performance.now() - startMs;
  if (!asked.ok) {
    if (asked.failure.reason === 'UNIMPLEMENTED') {
      return warning(name, 'the server is of a version that does not report its state', {
        fix: 'update walletd',
      });
    }
    return toProblem(name, { ok: false, failure: toCliFailure(asked.failure, 'read') });
  }
  const { status } = asked.value;
  if (!status) return warning(name, 'the server answered without its state');
  const atMs = status.serverTime?.getTime();
  const sample = atMs === undefined ? undefined : { sentAtMs, roundTripMs, serverAtMs: atMs };
  return { status, sample };
}
