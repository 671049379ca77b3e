/** Fields of the services, and what a route calls them. */
export type FieldNames = Readonly<Record<string, string>>;

/** Fields of the services that have other names over HTTP, besides their letter case. */
const names: FieldNames = {
  user_id: 'user',
  user_ids: 'user',
  page_size: 'limit',
  include_holds: 'holds',
  idempotency_key: 'Idempotency-Key',
};

/** What a field of a service is called in requests over HTTP; `own`: by the route. */
export function nameField(field: string, own: FieldNames = {}): string {
  if (Object.hasOwn(own, field)) return own[field] ?? field;
  if (Object.hasOwn(names, field)) return names[field] ?? field;
  return field.replace(/_([a-z])/g, (_part, letter: string) => letter.toUpperCase());
}

/** Fields that texts of the services name. */
const fields = [
  ...['byte_order_mark', 'dry_run', 'expected_number', 'expires_at', 'expires_in_seconds'],
  ...['group_id', 'hold_id', 'idempotency_key', 'include_holds', 'keep_rest', 'page_size'],
  ...['page_token', 'parent_id', 'sweep_to_user_id', 'to_user_id', 'transaction_id'],
  ...['export_id', 'session_id', 'api_key_id', 'wallet_id', 'user_id', 'user_ids'],
];

/** A text in quotation marks, which may be the caller's, or the name of a field. */
const fieldOrQuoted = new RegExp(`"(?:[^"\\\\]|\\\\.)*"|\\b(?:${fields.join('|')})\\b`, 'g');

/** A text of a service with the names that its fields have over HTTP. */
export const translateFields = (text: string, own?: FieldNames): string =>
  text.replace(fieldOrQuoted, (found) => (found.startsWith('"') ? found : nameField(found, own)));
