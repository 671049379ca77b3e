import { expect, it } from 'vitest';

import { currencyCodes } from '../../../core/currencies.ts';
import { createWalletRefs } from './wallet-refs.ts';

const ref = (userId: string, currency: string) => ({
  id: `${userId} ${currency}`,
  userId,
  currency,
  exponent: 2,
});

it('the number of cached wallet refs is bounded over all currencies together', () => {
  const refs = createWalletRefs(100);
  for (let n = 0; n < 50; n += 1) {
    for (const currency of currencyCodes) refs.keep(ref(`u${n}`, currency));
    const found = currencyCodes.flatMap((currency) =>
      Array.from({ length: n + 1 }, (_, user) => refs.find(`u${user}`, currency) ?? []).flat(),
    );
    expect(found.length).toBeLessThanOrEqual(100);
    expect(found.length).toBe(refs.count());
  }
});

it('the wallet ref cached last is found for its owner in its currency only', () => {
  const refs = createWalletRefs(4);
  for (const user of ['a', 'b', 'c', 'd', 'e']) refs.keep(ref(user, 'BRL'));
  refs.keep(ref('e', 'BRL'));
  expect(refs.find('e', 'BRL')?.id).toBe('e BRL');
  expect(refs.find('e', 'USD')).toBeUndefined();
  expect(refs.count()).toBe(1);
});
