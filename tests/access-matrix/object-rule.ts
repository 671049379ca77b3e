import type { Belongings } from './people.ts';

/**
 * One way to name a user's object in a request. A customer reaches their own (`own: 'in'`). For an
 * object of another user they get the same answer as for one that does not exist, with a reason of
 * `hidden`.
 */
export type ObjectRule = {
  readonly rpc: string;
  /** The field, as docs name it. */
  readonly names: string;
  readonly request: (of: Belongings) => object;
  readonly hidden: readonly string[];
  /** Who of the staff reaches any customer's. Others get `hidden` or PERMISSION_DENIED. */
  readonly staff: 'operator admin' | 'admin' | 'as the service likes';
  /** Whether the owner is admitted with a valid request. */
  readonly own?: 'in' | 'not asked';
  /** A refusal that is made of the object, after access to it was granted. */
  readonly afterAccess?: string;
};
