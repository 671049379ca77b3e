import type { Defect } from './defect.ts';
import { fileDefects } from './file-defects.ts';
import { holdDefects } from './hold-defects.ts';

const admission = 'daemon/platform/grpc/admission';
const consumers = ['tests/consumers.int.test.ts'];

const messages: Readonly<Record<string, Defect>> = {
  'the projection returns on a database error': {
    file: 'daemon/statement/projection/projection.ts',
    find: 'if (sqlStateOf(err) !== uniqueViolation) throw err;',
    replace: 'if (sqlStateOf(err) !== uniqueViolation) return [];',
    tests: consumers,
  },
  'a message of unknown outcome is acknowledged': {
    file: 'daemon/wallet/events/emitted-consumer.ts',
    find: 'if (!finalCodes.has(reasonCodes[reason])) throw createTransientRejection(result.rejection);',
    replace: '',
    tests: ['daemon/wallet/events/handling.test.ts'],
  },
  'a message of a failed commit is acknowledged': {
    file: 'daemon/wallet/events/emitted-consumer.ts',
    find: 'if (!finalCodes.has(reasonCodes[reason])) throw createTransientRejection(result.rejection);',
    replace: '',
    tests: consumers,
  },
  'a message for a locked wallet is acknowledged': {
    file: 'daemon/wallet/events/emitted-consumer.ts',
    find: 'if (ofOneWallet.has(reason)) return held;',
    replace: 'if (ofOneWallet.has(reason)) return done;',
    tests: ['daemon/wallet/events/emitted-consumer.test.ts'],
  },
  'later messages of a locked wallet go on': {
    file: 'daemon/wallet/events/emitted-consumer.ts',
    find: 'isCancelled: (command: Command) => stopped.find(command) !== undefined,',
    replace: 'isCancelled: () => false,',
    tests: [
      'daemon/wallet/events/emitted-consumer.test.ts',
      'daemon/wallet/events/handling.test.ts',
    ],
  },
  'messages go on while the outbox is full': {
    file: 'daemon/wallet/events/emitted-consumer.ts',
    find: '  if (!isOutboxFull()) return;\n',
    replace: '  return;\n',
    tests: ['daemon/wallet/events/emitted-consumer.test.ts'],
  },
  'an export that cannot be queued now is acknowledged': {
    file: 'daemon/statement/exports/asked-export.ts',
    find: '      throw createTransientRejection(rejection);',
    replace: "      return { kind: 'done' };",
    tests: ['daemon/statement/exports/asked-export.test.ts'],
  },
  'messages are acknowledged before their work': {
    file: 'daemon/platform/broker/amqp/pump.ts',
    find: 'const left = await work(batch);',
    replace: 'ackAll(channel, batch, []);\n    const left = await work(batch);',
    tests: ['daemon/platform/broker/amqp/pump.test.ts'],
  },
  'held messages are acknowledged with the others': {
    file: 'daemon/platform/broker/amqp/pump.ts',
    find: 'if (!left.has(message)) channel.ack(message);',
    replace: 'channel.ack(message);',
    tests: ['daemon/platform/broker/amqp/pump.test.ts'],
  },
  'held messages are overtaken': {
    file: 'daemon/platform/broker/amqp/pump.ts',
    find: 'const batch = [...held, ...takeBatch(buffer, { messages: room, bytes })];',
    replace: 'const batch = [...takeBatch(buffer, { messages: room, bytes }), ...held];',
    tests: ['daemon/platform/broker/amqp/pump.test.ts'],
  },
  'the local broker confirms held messages': {
    file: 'daemon/platform/broker/local.ts',
    find: "if (handlings.some(({ kind }) => kind === 'held')) throw new Error(`${consumer.queue}: held`);",
    replace: '',
    tests: ['daemon/platform/broker/local.test.ts'],
  },
  'the relay deletes before messages are confirmed': {
    file: 'daemon/platform/outbox/relay.ts',
    find: 'publishToOwn(parts, rows, messages),',
    replace: '(void publishToOwn(parts, rows, messages).catch(() => []), Promise.resolve([])),',
    tests: ['daemon/platform/outbox/relay.int.test.ts'],
  },
  'the relay ignores its fencing token': {
    file: 'daemon/platform/outbox/round.ts',
    find: '  if (!isDone) {',
    replace: '  if (isDone === undefined) {',
    tests: ['daemon/platform/outbox/lease.int.test.ts'],
  },
};

const ledger: Readonly<Record<string, Defect>> = {
  'a replay does not compare the parent': {
    file: 'daemon/wallet/domain.ts',
    find: ' || original.parentId !== parentId) return false;',
    replace: ') return false;',
    tests: ['daemon/wallet/domain.test.ts'],
  },
  'a freeze since the wallet was remembered does not count': {
    file: 'daemon/wallet/store/writes.ts',
    find: ' w.terms_no = u.was_terms_no AND',
    replace: '',
    tests: ['daemon/wallet/commit/optimistic-conflict.int.test.ts'],
  },
  'a command on two wallets is committed beside a commit that has the other one': {
    file: 'daemon/wallet/commit/schedule/commit-queue.ts',
    find: 'const other = owners.findOther(keys, batch);',
    replace: 'const other = owners.findOther(keys.slice(0, 1), batch);',
    tests: ['daemon/wallet/commit/schedule/scheduler.test.ts'],
  },
  'a command passes an earlier one that waits': {
    file: 'daemon/wallet/commit/schedule/commit-queue.ts',
    find: 'keys.some(isClosed) || ',
    replace: '',
    tests: ['daemon/wallet/commit/schedule/commit-queue.test.ts'],
  },
  'what waits for two commits loses its place when one of them ends': {
    file: 'daemon/wallet/commit/schedule/wallet-owners.ts',
    find: '(owner ?? blocker).behind.add(item);',
    replace: 'blocker.behind.add(item);',
    tests: ['daemon/wallet/commit/schedule/commit-queue.test.ts'],
  },
  'a later credit raises what a forced undo has reached': {
    file: 'daemon/wallet/commit/locked-updates.ts',
    find: 'lowest.set(wallet.id, balanceAfterMinor);',
    replace: 'lowest.set(wallet.id, balanceAfterMinor + 300n);',
    tests: ['daemon/wallet/commit/two-wallets.int.test.ts'],
  },
  'the tag of COMMIT is ignored': {
    file: 'daemon/platform/db/transaction.ts',
    find: "if (tag !== 'COMMIT') throw",
    replace: "if (tag === 'NEVER') throw",
    tests: ['daemon/platform/db/db.int.test.ts'],
  },
  'the time-out of a statement is dropped': {
    file: 'daemon/platform/db/db.ts',
    find: '    query_timeout: options.queryTimeoutMs ?? queryTimeoutMs,\n',
    replace: '',
    tests: ['daemon/platform/db/connection/frozen-backend.int.test.ts'],
  },
  'a connection without an answer is used again': {
    file: 'daemon/platform/db/db.ts',
    find: 'if (!hanging.keep(client, err)) client.release(!isUsable);',
    replace: 'if (!hanging.keep(client, err)) client.release(false);',
    tests: ['daemon/platform/db/connection/frozen-backend.int.test.ts'],
  },
  'items of a batch stay counted': {
    file: 'daemon/wallet/rpc/batch.ts',
    find: '      inFlight.release(principal.userId, count);\n',
    replace: '',
    tests: ['daemon/wallet/rpc/batch-failures.int.test.ts'],
  },
  'the feed of revocations has no overlap': {
    file: 'daemon/platform/access/revocations.ts',
    find: 'asOfMs - overlapMs',
    replace: 'asOfMs',
    tests: ['daemon/platform/access/revocations.test.ts'],
  },
};

const limits: Readonly<Record<string, Defect>> = {
  'a call stays counted': {
    file: `${admission}/admission.ts`,
    find: '    } finally {\n      inFlight -= 1;\n    }',
    replace: '    } finally {\n      // never\n    }',
    tests: [`${admission}/admission.test.ts`],
  },
  'a call of a service stays counted': {
    file: `${admission}/admission.ts`,
    find: '.finally(() => (inFlightOfServices -= 1))',
    replace: '',
    tests: [`${admission}/admission.test.ts`],
  },
  'a call of a user stays counted': {
    file: `${admission}/user-calls.ts`,
    find: '      counts.release(userId);\n',
    replace: '',
    tests: [`${admission}/admission.test.ts`],
  },
  'a stream keeps its slot': {
    file: `${admission}/user-calls.ts`,
    find: '.finally(() => stream.value.release())',
    replace: '',
    tests: [`${admission}/admission.test.ts`],
  },
  'a permit is kept after a failure': {
    file: `${admission}/user-calls.ts`,
    find: '  } finally {\n    permit.release(isAnswered);\n  }',
    replace: '  } finally {\n    if (isAnswered) permit.release(isAnswered);\n  }',
    tests: [`${admission}/admission-ends.test.ts`],
  },
  'a public call stays counted': {
    file: `${admission}/public-calls.ts`,
    find: '    } finally {\n      counts.release(network);\n    }',
    replace: '    } finally {\n      // never\n    }',
    tests: [`${admission}/admission.test.ts`],
  },
  'this machine has no limit of public calls': {
    file: `${admission}/public-calls.ts`,
    find: 'network === thisHost ? limits.publicCallsOfHost : limits.publicCallsOfSource',
    replace: 'network === thisHost ? Infinity : limits.publicCallsOfSource',
    tests: [`${admission}/admission.test.ts`],
  },
  'a proxy on this machine counts as this machine': {
    file: `${admission}/admission.ts`,
    find: "isLocal: call.origin === 'local',",
    replace: "isLocal: call.origin !== 'remote',",
    tests: [`${admission}/admission.test.ts`],
  },
  'an attempt that succeeded stays counted': {
    file: 'daemon/auth/throttling/throttle.ts',
    find: "if (outcome !== 'failed') await release(outcome);",
    replace: '',
    tests: ['daemon/auth/throttling/throttle.int.test.ts'],
  },
  'an attempt that could not be checked stays counted': {
    file: 'daemon/auth/throttling/throttle.ts',
    find: "if (findTransientRejection(err)?.reason !== 'CANCELLED') await release('void');",
    replace: '',
    tests: ['daemon/auth/throttling/throttle.int.test.ts'],
  },
};

export const defects: Readonly<Record<string, Defect>> = {
  ...messages,
  ...ledger,
  ...limits,
  ...fileDefects,
  ...holdDefects,
};
