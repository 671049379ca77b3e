/** Code whose tests run without services, and these tests: a few seconds for each change of it. */
export type Area = {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
};

const results = 'cli/commands/batch/results';

export const areas: Readonly<Record<string, Area>> = {
  money: {
    mutate: ['core/money.ts'],
    tests: ['core/money.test.ts', 'tests/number-amounts.test.ts'],
  },
  chain: {
    mutate: ['core/chain.ts', 'core/bytes.ts'],
    tests: [
      'core/{chain,bytes,ids}.test.ts',
      'core/statement-format/rows.test.ts',
      'tests/support/ledger/chain.test.ts',
    ],
  },
  ids: { mutate: ['core/ids.ts'], tests: ['core/ids.test.ts'] },
  core: {
    mutate: [
      'core/{addresses,csv-cell,currencies,in-doubt,networks,operations,reasons,roles}.ts',
      'core/{secret-file,shell-word,text}.ts',
      'core/messages/split-by-bytes.ts',
      'core/json/number-text.ts',
    ],
    tests: ['core/*.test.ts', 'core/{json,messages}/*.test.ts', 'tests/number-amounts.test.ts'],
  },
  times: {
    mutate: ['core/time/{calendar,time-text,stored-times}.ts'],
    tests: ['core/time/*.test.ts'],
  },
  formats: {
    mutate: ['core/time/zone-clock.ts', 'core/statement-format/*.ts'],
    tests: ['core/statement-format/*.test.ts', 'core/time/zone-clock.test.ts'],
  },
  wallet: {
    mutate: ['daemon/wallet/domain*.ts'],
    tests: ['daemon/wallet/*.test.ts'],
  },
  auth: {
    mutate: ['daemon/auth/domain.ts', 'daemon/auth/{api-keys,sessions}/*domain.ts'],
    tests: ['daemon/auth/*.test.ts', 'daemon/auth/{api-keys,sessions}/*.test.ts'],
  },
  totp: {
    mutate: ['daemon/auth/totp/{codes,rules,seal}.ts'],
    tests: ['daemon/auth/totp/*.test.ts'],
  },
  throttle: {
    mutate: [
      'daemon/auth/throttling/attempt-queue.ts',
      'daemon/platform/concurrency/{fair-queue,fair-semaphore,fair-pool,token-bucket}.ts',
    ],
    tests: ['daemon/auth/throttling/*.test.ts', 'daemon/platform/concurrency/*.test.ts'],
  },
  statement: {
    mutate: [
      'daemon/statement/domain.ts',
      'daemon/statement/exports/balance-check.ts',
      'daemon/statement/pages/running-totals.ts',
      'daemon/statement/witness/tails.ts',
    ],
    tests: ['daemon/statement/**/*.test.ts'],
  },
  commit: {
    mutate: [
      'daemon/wallet/commit/{commit-items,group-commit,small-commits}.ts',
      'daemon/wallet/commit/schedule/{commit-queue,scheduler}.ts',
    ],
    tests: ['daemon/wallet/commit/**/*.test.ts', 'daemon/wallet/events/*.test.ts'],
  },
  consumers: {
    mutate: [
      'daemon/wallet/events/emitted-consumer.ts',
      'daemon/platform/broker/{local,poison-isolation}.ts',
      'daemon/platform/broker/amqp/pump.ts',
    ],
    tests: ['daemon/wallet/events/*.test.ts', 'daemon/platform/broker/**/*.test.ts'],
  },
  outbox: {
    mutate: ['daemon/platform/outbox/{acking,recent,round}.ts'],
    tests: ['daemon/platform/outbox/*.test.ts'],
  },
  access: {
    mutate: ['daemon/platform/access/{access,revocations,api-keys,tokens}.ts'],
    tests: ['daemon/platform/access/*.test.ts'],
  },
  admission: {
    mutate: ['daemon/platform/grpc/admission/{admission,counts,user-calls,stream-slots}.ts'],
    tests: ['daemon/platform/grpc/admission/*.test.ts'],
  },
  journal: {
    mutate: [`${results}/{journal,run-files,publication,renewal,sort}.ts`],
    // Without cut-off.int.test.ts, whose runs are processes of their own, with unchanged code.
    tests: [`${results}/{crashes,journal,openings,publication,sort}.int.test.ts`],
  },
  send: {
    mutate: ['cli/commands/batch/send/*.ts'],
    tests: ['cli/commands/batch/send/*.test.ts'],
  },
  credentials: {
    mutate: ['cli/credentials/session.ts'],
    tests: ['cli/credentials/session.test.ts'],
  },
};
