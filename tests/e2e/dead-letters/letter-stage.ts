import { randomUUID } from 'node:crypto';

import { walletIdOf } from '../../../core/ids.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { bearer, setStage, type Person, type Stage } from '../../access-matrix/people.ts';
import type { AnyMethod, Outcome } from '../../support/grpc/any-call.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { buryIn, letterOf, type GivenLetter } from '../../support/broker/letters.ts';
import { toBody } from '../../support/broker/producer.ts';

type Service = 'wallet' | 'statement';
type Change = { body?: string; messageId?: string; dryRun?: boolean };
type Line = { actor: string; result: string; action: string; details: Record<string, string> };
type Entry = {
  id: string;
  actor: string;
  source: number;
  amount: string;
  metadata: Record<string, string> | null;
};

/** A message that pays into a user's wallet. */
export const deposit = (userId: string, amount = '1.00', more: object = {}): string =>
  toBody({ userId, operation: 'deposit', amount, ...more });

/** A daemon, staff, and what there is to do with dead letters. */
export type LetterStage = {
  readonly stage: Stage;
  readonly operator: Person;
  readonly admin: Person;
  newCustomer(): Promise<Person>;
  bury(body: string, fields?: Partial<GivenLetter>, service?: Service): Promise<GivenLetter>;
  /** By the operator, unless another credential is given. */
  replay(
    letter: GivenLetter,
    change?: Change,
    credential?: string,
    service?: Service,
  ): Promise<Outcome>;
  entriesOf(userId: string, currency?: string): Promise<Entry[]>;
  /** The lines of the audit log about a letter. */
  linesOf(letterId: string): Promise<Line[]>;
  stateOf(letter: GivenLetter): Promise<string | undefined>;
};

export async function setLetterStage(): Promise<LetterStage> {
  const stage = await setStage();
  const operator = await stage.person('otto', 'operator');
  const admin = await stage.person('ada', 'admin');
  const query = <Row extends object>(text: string, values: unknown[]): Promise<Row[]> =>
    queryService<Row>(stage.world.dataDir, 'wallet', text, values);
  return {
    stage,
    operator,
    admin,
    newCustomer: () => stage.person(`c${randomUUID().slice(0, 8)}`, 'customer'),
    bury: async (body, fields = {}, service = 'wallet') => {
      const letter = letterOf(body, fields);
      await buryIn(stage.world.dataDir, service, [letter]);
      return letter;
    },
    replay: ({ id }, change = {}, credential = operator.accessToken, service = 'wallet') => {
      const methods = { wallet: WalletServiceService, statement: StatementServiceService };
      const method = methods[service].replayDeadLetters as unknown as AnyMethod;
      const request = { deadLetterIds: [id], dryRun: false, ...change };
      return stage.call(method, request, bearer(credential));
    },
    entriesOf: (userId, currency = 'BRL') =>
      query<Entry>(
        'SELECT id, actor, source, amount, metadata FROM transactions ' +
          'WHERE wallet_id = $1 ORDER BY seq',
        [walletIdOf(userId, currency)],
      ),
    linesOf: (letterId) =>
      query<Line>(
        'SELECT actor, action, result, details FROM audit_log ' +
          'WHERE target = $1 ORDER BY occurred_at',
        [letterId],
      ),
    stateOf: async ({ id }) => {
      const text = 'SELECT state FROM dead_letters WHERE id = $1';
      return (await query<{ state: string }>(text, [id]))[0]?.state;
    },
  };
}
