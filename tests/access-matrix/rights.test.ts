import { describe, expect, it } from 'vitest';

import { objectRules } from './objects.ts';
import { plainRequests } from './requests.ts';
import { mayBeUnimplemented } from './rights.ts';
import { rpcs } from './rpcs.ts';

describe('access rights', () => {
  it.each(rpcs)('the policy of $name equals rights.ts', ({ policy, right }) => {
    expect(policy).toEqual(right);
  });

  it('every RPC has a request that changes nothing', () => {
    expect(Object.keys(plainRequests).sort()).toEqual(rpcs.map((rpc) => rpc.name).sort());
  });

  it('rights.ts and objects.ts name existing RPCs only', () => {
    const names = new Set(rpcs.map((rpc) => rpc.name));
    const named = [...mayBeUnimplemented, ...objectRules.map((rule) => rule.rpc)];
    expect(named.filter((name) => !names.has(name))).toEqual([]);
  });
});
