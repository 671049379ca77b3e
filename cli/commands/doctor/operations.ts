import type {
  OperationalStatus,
  ServiceStatus,
} from '../../../protos/gen/digitalwallet/common/v1/status.ts';
import { formatSpan } from './clock.ts';
import { ok, problem, warning, type Finding, type ServiceName } from './finding.ts';

/** Messages normally wait for some milliseconds. */
const lateMs = 30_000;
const logFix = 'see the log of walletd and its /readyz';

type Described = readonly (readonly [ServiceName, Pick<ServiceStatus, 'operational'>])[];

/** For staff: what the services say of broker, outbox, projection and dead letters. */
export function describeOperations(statuses: Described): readonly Finding[] {
  const findings = statuses.flatMap(([name, { operational }]) =>
    operational ? describeService(name, operational) : [],
  );
  // Services of one process have one broker.
  return findings.filter(
    (one, index) =>
      findings.findIndex((other) => other.check === one.check && other.message === one.message) ===
      index,
  );
}

function describeService(name: ServiceName, status: OperationalStatus): readonly Finding[] {
  const { databaseTrouble, broker, outbox, projection, deadLetters, stalled, trouble } = status;
  const { checkpoint } = status;
  return [
    ...(databaseTrouble === ''
      ? []
      : [problem(`${name} database`, databaseTrouble, { fix: logFix })]),
    ...(broker ? [describeBroker(broker)] : []),
    ...(outbox ? [describeOutbox(name, outbox)] : []),
    ...(projection ? [describeProjection(projection)] : []),
    ...(deadLetters ? [describeLetters(name, deadLetters)] : []),
    ...(checkpoint ? [describeCheckpoint(checkpoint)] : []),
    ...stalled.map(({ name: part, ageMs, reason }) =>
      problem('stalled', `${part}: nothing finished for ${formatSpan(Number(ageMs))}: ${reason}`, {
        ...{ fix: logFix, details: { part, ageMs: Number(ageMs) } },
      }),
    ),
    ...(trouble === '' ? [] : [problem(`${name} trouble`, trouble, { fix: logFix })]),
  ];
}

function describeBroker(broker: NonNullable<OperationalStatus['broker']>): Finding {
  const { isRabbitmq, trouble } = broker;
  const details = { isRabbitmq, trouble: trouble === '' ? null : trouble };
  if (trouble !== '') {
    const fix = 'see that RabbitMQ runs, and that RABBITMQ_URL of walletd is right';
    return problem('broker', `messages do not flow: ${trouble}`, { fix, details });
  }
  const message = isRabbitmq ? 'connected to RabbitMQ' : 'none: messages stay in walletd';
  return ok('broker', message, { details });
}

function describeOutbox(
  name: ServiceName,
  { events, ageMs }: NonNullable<OperationalStatus['outbox']>,
): Finding {
  const check = `${name} outbox`;
  const details = { events: Number(events), ageMs: Number(ageMs) };
  if (events === 0n) return ok(check, 'nothing waits to be sent', { details });
  const message = `${events} events wait, the oldest for ${formatSpan(Number(ageMs))}`;
  return Number(ageMs) < lateMs
    ? ok(check, message, { details })
    : problem(check, message, { fix: 'see the line "broker", and the log of walletd', details });
}

function describeProjection(projection: NonNullable<OperationalStatus['projection']>): Finding {
  const { lastLagMs, lastStoredAt, waitingMs } = projection;
  const details = {
    lastLagMs: lastLagMs === undefined ? null : Number(lastLagMs),
    lastStoredAt: lastStoredAt?.toISOString() ?? null,
    waitingMs: Number(waitingMs),
  };
  if (Number(waitingMs) >= lateMs) {
    const message = `events have waited for ${formatSpan(Number(waitingMs))} without new lines`;
    return problem('projection', message, { fix: logFix, details });
  }
  if (lastLagMs === undefined) {
    return ok('projection', 'no statement line since walletd started', { details });
  }
  const message = `the last statement lines came ${formatSpan(Number(lastLagMs))} after their transactions`;
  return ok('projection', message, { details });
}

function describeLetters(
  name: ServiceName,
  { pending, hasMore, oldestAt }: NonNullable<OperationalStatus['deadLetters']>,
): Finding {
  const check = `${name} letters`;
  const details = { pending, hasMore, oldestAt: oldestAt?.toISOString() ?? null };
  if (pending === 0) return ok(check, 'no dead letter waits for a decision', { details });
  const count = hasMore ? `more than ${pending}` : String(pending);
  const since = oldestAt ? `, the oldest since ${oldestAt.toISOString()}` : '';
  const noun = pending === 1 && !hasMore ? 'dead letter waits' : 'dead letters wait';
  const fix = `wallet dead-letters list --service ${name}`;
  return warning(check, `${count} ${noun} for a decision${since}`, { fix, details });
}

function describeCheckpoint({
  number,
  takenAt,
  wallets,
  ageMs,
  isOverdue,
}: NonNullable<OperationalStatus['checkpoint']>): Finding {
  const details = {
    ...{ number: Number(number), takenAt: takenAt?.toISOString() ?? null },
    ...{ wallets: Number(wallets), ageMs: Number(ageMs), isOverdue },
  };
  const message = `number ${number}, of ${wallets} wallets, taken ${formatSpan(Number(ageMs))} ago`;
  if (!isOverdue) return ok('checkpoint', message, { details });
  const fix = 'see CHECKPOINT_KEY_FILE and the log of walletd; `walletd checkpoint` takes one now';
  return warning('checkpoint', `the next one is overdue: the last is ${message}`, { fix, details });
}
