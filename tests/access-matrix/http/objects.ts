import type { ObjectRule } from '../object-rule.ts';
import { objectRules } from '../objects.ts';
import { rows, type HttpRequest, type Things } from './requests.ts';

/** One way to name a user's object in a request of a route. */
export type HttpObjectRule = {
  /** Method and path of the route table. */
  readonly route: string;
  /** The parameter or field, as the route has it. */
  readonly names: string;
  readonly request: (of: Things) => HttpRequest;
} & Pick<ObjectRule, 'hidden' | 'staff'>;

/** What gRPC hides, and whom it finds it for: that of the same RPC by the same field. */
function asOverGrpc(rpc: string, names: string): Pick<ObjectRule, 'hidden' | 'staff'> {
  const rule = objectRules.find((each) => each.rpc === rpc && each.names === names);
  if (!rule) throw new Error(`objects.ts has no rule of ${rpc} by ${names}`);
  const { hidden, staff } = rule;
  return { hidden, staff };
}

const by = (
  route: string,
  names: string,
  grpcNames: string,
  request: (of: Things) => HttpRequest,
  ofRpc = rows[route]?.rpc ?? '',
): HttpObjectRule => ({ route, names, request, ...asOverGrpc(ofRpc, grpcNames) });

/** As the row sends it of the things' owner. */
const asRow = (route: string, names: string, grpcNames: string): HttpObjectRule =>
  by(route, names, grpcNames, (of) => rows[route]?.effective(of) ?? {});

const undo = (of: Things): object => ({
  operation: 'reversal',
  parentId: of.transactionId,
  idempotencyKey: `undo ${of.transactionId}`,
});
const userId = (currency = ', BRL') => `user_id${currency}`;

/** Every route that names an object, and each way in which it does. */
export const httpObjectRules: readonly HttpObjectRule[] = [
  asRow('GET /v1/sessions', 'user', 'user_id'),
  asRow('DELETE /v1/sessions/:id', 'id', 'session_id'),
  asRow('GET /v1/users/:id', 'id', 'user_id'),
  asRow('GET /v1/api-keys', 'user', 'owner_id'),
  asRow('DELETE /v1/api-keys/:id', 'id', 'api_key_id'),
  asRow('POST /v1/transactions', 'user', 'user_id, BRL, dry_run false'),
  by(
    'POST /v1/transactions',
    'parentId',
    'parent_id, operation 4, no dry run',
    ({ transactionId: parentId }) => ({
      body: { operation: 'reversal', parentId },
      headers: { 'idempotency-key': `undo ${parentId}` },
    }),
  ),
  asRow('POST /v1/transactions/batch', 'user', userId()),
  by('POST /v1/transactions/batch', 'parentId', 'parent_id, operation 4', (of) => ({
    body: { items: [undo(of)] },
  })),
  asRow('GET /v1/transactions', 'user', userId()),
  by('GET /v1/transactions', 'pageToken', 'page_token', ({ pageToken }) => ({
    query: { pageToken, limit: '1' },
  })),
  asRow('GET /v1/transactions/:id', 'id', 'transaction_id'),
  by('GET /v1/transactions/:id', 'user', 'transaction_id, user_id', (of) => ({
    params: { id: of.transactionId },
    query: { user: of.userId },
  })),
  asRow('GET /v1/transactions/by-key/:key', 'user', 'idempotency_key, user_id'),
  by('GET /v1/transactions/by-key/:key', 'key', 'idempotency_key', (of) => ({
    params: { key: of.key },
  })),
  asRow('GET /v1/wallets', 'user', 'user_id'),
  asRow('GET /v1/wallets/:user/:currency', 'user', userId()),
  asRow('GET /v1/wallets/:user/:currency/terms', 'user', userId()),
  asRow('GET /v1/holds', 'user', userId()),
  asRow('GET /v1/holds/:id', 'id', 'hold_id'),
  asRow('GET /v1/statements', 'user', userId()),
  asRow('GET /v1/statements/search', 'user', userId()),
  // Of metadata: it names no object.
  asRow('GET /v1/statements/search', 'key', userId()),
  asRow('POST /v1/exports', 'user', userId()),
  asRow('GET /v1/exports', 'user', 'user_id'),
  asRow('GET /v1/exports/:id', 'id', 'export_id'),
  asRow('GET /v1/exports/:id/file', 'id', 'export_id'),
  asRow('GET /v1/events', 'user', 'user_ids'),
  asRow('GET /wallet/balance', 'user', userId()),
  asRow('POST /wallet/transaction', 'user', 'user_id, BRL, dry_run false'),
  by(
    'POST /wallet/transaction',
    'transactionId',
    'parent_id, operation 4, no dry run',
    ({ transactionId }) => ({ body: { operation: 3, transactionId } }),
  ),
  asRow('GET /wallet/transactions', 'user', userId()),
  asRow('POST /statement/generate', 'user', userId()),
  asRow('GET /statement/exports/:id', 'id', 'export_id'),
  asRow('GET /statement/exports/:id/file', 'id', 'export_id'),
];

/** Routes that name an object, and that no customer may call: the first matrix is enough. */
export const staffOnly: ReadonlySet<string> = new Set([
  'PATCH /v1/users/:id',
  'PATCH /v1/wallets/:user/:currency',
  'POST /v1/wallets/:user/:currency/close',
  'POST /v1/wallets/:user/:currency/reopen',
  'PUT /v1/wallets/:user/:currency/terms',
  'POST /v1/holds',
  'POST /v1/holds/:id/capture',
  'POST /v1/holds/:id/release',
]);

/** Names of parameters and fields by which a request names an object. */
export const objectNames = ['id', 'key', 'user', 'parentId', 'transactionId'] as const;
