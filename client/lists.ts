import type { OperationName, Operations } from './gen/api.ts';
import { iteratePages } from './pages.ts';
import type { Request, Sender } from './send.ts';
import type { ItemOf, List, QueryOf } from './types.ts';

/** Operations that answer with pages. */
type ListName = {
  [Name in OperationName]: Operations[Name]['answer'] extends { readonly items: readonly unknown[] }
    ? Operations[Name]['query'] extends { readonly pageToken?: unknown }
      ? Name
      : never
    : never;
}[OperationName];

export function createList<Name extends ListName>(sender: Sender, name: Name): List<Name> {
  const read = (query: QueryOf<Name> | undefined, options = {}) =>
    sender.call(name, { query } as Request<Name>, options);
  const listAll = (query: object = {}, options = {}) =>
    iteratePages<unknown>((next) => read({ ...query, ...next }, options)) as AsyncGenerator<
      ItemOf<Name>,
      void,
      undefined
    >;
  return { list: read, listAll };
}
