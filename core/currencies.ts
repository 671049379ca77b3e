/**
 * Decimals of every currency of ISO 4217 list one (amendment 180, in force on 2026-01-01), grouped
 * by their number. Codes without minor units of their own (metals, funds, XXX, XTS) are left out.
 * Intl's table differs from ISO's: it has 0 for HUF, IDR, COP and AFN in some versions, ISO has 2.
 */
const codesByExponent = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2:
    'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD ' +
    'CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS ' +
    'GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD ' +
    'LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB ' +
    'PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP ' +
    'SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ' +
    'ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
} as const;

/**
 * What ISO has withdrawn since 2011 (ISO 4217 list three), with the decimals that list one gave at
 * the time. A code that leaves the table above moves here: wallets in it stay readable, and can be
 * paid out. No wallet is opened in it any more.
 */
const withdrawnByExponent = {
  0: 'BYR',
  2: 'ANG BGN CUC EEK HRK LTL LVL MRO SLL STD VEF ZMK ZWL',
} as const;

const toPairs = (byExponent: Readonly<Record<number, string>>): [string, number][] =>
  Object.entries(byExponent).flatMap(([exponent, codes]) =>
    codes.split(' ').map((code): [string, number] => [code, Number(exponent)]),
  );

const exponentByCode: ReadonlyMap<string, number> = new Map([
  ...toPairs(codesByExponent),
  ...toPairs(withdrawnByExponent),
]);
const withdrawn: ReadonlySet<string> = new Set(toPairs(withdrawnByExponent).map(([code]) => code));

/** All codes in which there may be wallets, sorted: the withdrawn ones too. */
export const currencyCodes: readonly string[] = [...exponentByCode.keys()].sort();

/** True for a code that ISO has withdrawn: no new wallet may have it. */
export const isWithdrawn = (currency: string): boolean => withdrawn.has(currency);

/**
 * Number of decimals of an ISO 4217 code (exactly as ISO writes it), of a withdrawn one too, or
 * undefined if unknown.
 */
export function findExponent(currency: string): number | undefined {
  return exponentByCode.get(currency);
}

/** Number of decimals of a code that has been checked already; throws on any other. */
export function exponentOf(currency: string): number {
  const exponent = exponentByCode.get(currency);
  if (exponent === undefined) throw new Error(`exponentOf: unknown currency ${currency}`);
  return exponent;
}
