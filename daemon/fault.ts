/** Why a start or a command cannot go on, and what the operator can do about it. */
export type Fault = { readonly fault: string; readonly hint: string };

export type Outcome<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly fault: Fault };
