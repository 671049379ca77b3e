import { idRangeOf, minIdPrefixLength, type IdRange } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';

/** The filter `id_prefix` of a list: undefined where there is none. */
export function readIdPrefix(prefix: string): Result<IdRange | undefined> {
  if (prefix === '') return succeed(undefined);
  const ids = idRangeOf(prefix);
  if (ids) return succeed(ids);
  return refuse(
    'INVALID_ARGUMENT',
    `id_prefix must be the first ${minIdPrefixLength} or more characters of an id, in lower case`,
    { field: 'id_prefix' },
  );
}
