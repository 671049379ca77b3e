import { refuse, succeed, type Result } from './reasons.ts';
import { canonicalText, findTextProblem } from './text.ts';

/**
 * Scripts in which addresses are written: the recommended ones of Unicode (UAX 31, table 5). Others
 * are rare in addresses, and some of them look like Latin throughout.
 */
const scripts = [
  ...['Latin', 'Greek', 'Cyrillic', 'Armenian', 'Georgian', 'Hebrew', 'Arabic', 'Thaana'],
  ...['Ethiopic', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu'],
  ...['Kannada', 'Malayalam', 'Sinhala', 'Thai', 'Lao', 'Tibetan', 'Myanmar', 'Khmer'],
];
/** Writing systems of more than one script. */
const combined = {
  Japanese: ['Han', 'Hiragana', 'Katakana'],
  Korean: ['Hangul', 'Han'],
  Chinese: ['Han', 'Bopomofo'],
};

const hasScript = (names: readonly string[]): string =>
  names.map((name) => `\\p{Script_Extensions=${name}}`).join('');

/** ASCII has digits and signs of all scripts; its letters are Latin. */
const writingSystems: readonly (readonly [name: string, pattern: RegExp])[] = [
  ...scripts.map((name) => [name, [name]] as const),
  ...Object.entries(combined),
].map(([name, parts]) => [
  name,
  new RegExp(`^(?:[^A-Za-z\\P{ASCII}]|[${hasScript(parts)}])+$`, 'u'),
]);

const invisible = /[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}]/u;
/**
 * Beside ASCII only letters, their marks and digits; no letter-like apostrophe, but the ー of Kana.
 */
const foreign =
  /[^\p{ASCII}\p{L}\p{M}\p{Nd}]|(?=\p{Lm})(?!\p{Script_Extensions=Katakana})\p{Script=Common}/u;
/** A mark without a letter, four on one, the same one twice, or a dot on what has one. */
const stacked = /^\p{M}|[^\p{L}\p{M}]\p{M}|\p{M}{4}|(\p{M})\1|\p{Soft_Dotted}\u0307/u;
/** NFC has made one character of the usual ones of these scripts: one more is left at most. */
const stackedOnLetter = /[\p{Script=Latin}\p{Script=Greek}\p{Script=Cyrillic}]\p{M}{2}/u;

/**
 * Why a text can be taken for another one, or undefined: invisible characters, forms that look like
 * other characters, stacked marks, letters of several scripts. The text is in lower case and NFC.
 */
function findLookAlike(text: string): string | undefined {
  const hidden = invisible.exec(text)?.[0];
  if (hidden !== undefined) return `has an invisible character (${nameCodePoint(hidden)})`;
  const odd = foreign.exec(text)?.[0];
  if (odd !== undefined) {
    return `may have letters and digits besides ASCII, and not ${nameCodePoint(odd)}`;
  }
  if (text.normalize('NFKC') !== text) {
    return 'has a character that stands for others, like a full-width letter or a ligature';
  }
  if (stacked.test(text) || stackedOnLetter.test(text)) return 'has stacked or stray accents';
  return findWritingSystem(text) === undefined
    ? 'mixes letters of several scripts, or has one that is not taken: use the letters of one script'
    : undefined;
}

/** `Latin`, `Cyrillic`, `Japanese`, …; undefined for a mixture. */
function findWritingSystem(text: string): string | undefined {
  return writingSystems.find(([, pattern]) => pattern.test(text))?.[0];
}

const nameCodePoint = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/**
 * An address for people to read: one that is not all ASCII says in which script it is written,
 * since whole words of one script can look like those of another. Of Latin, the letters are named.
 */
export function describeAddress(email: string): string {
  const local = email.slice(0, Math.max(0, email.lastIndexOf('@')));
  const others = Array.from(local).filter((character) => character > '\u007f');
  if (others.length === 0) return email;
  const script = findWritingSystem(local) ?? 'several scripts';
  const names = [...new Set(others.map(nameCodePoint))].join(' ');
  return `${email} [${script === 'Latin' || script === 'several scripts' ? `${script}, ${names}` : script}]`;
}

/**
 * The ASCII form of a domain, by IDNA; undefined if it has none, or if a part of it could be taken
 * for another one. What is ASCII stays as it is.
 */
export function toAsciiDomain(domain: string): string | undefined {
  if (/^\p{ASCII}*$/u.test(domain)) return domain;
  const isClear = domain.split('.').every((label) => findLookAlike(label) === undefined);
  // Nothing that ends the host in a URL gets this far.
  if (!isClear || /[/?#@:[\]\\%]/.test(domain)) return undefined;
  try {
    return new URL(`http://${domain}`).hostname;
  } catch {
    return undefined;
  }
}

/** An address for those who know it anyway, `a***@example.com`: they recognise it. */
export function maskAddress(email: string): string {
  const end = Math.max(0, email.lastIndexOf('@'));
  const [first = ''] = Array.from(email.slice(0, end));
  return `${first}***${email.slice(end)}`;
}

const maxEmailLength = 254;

/** What is far too long is not looked at: the patterns take time. */
const maxRawLength = 1_024;

/**
 * One form per address: trimmed, NFC, lower case, the domain in ASCII. EMAIL_INVALID unless it
 * looks like local@domain, or where the local part could be taken for another one. Every entry of
 * an address goes through here, look-ups included.
 */
export function canonicalizeEmail(text: string): Result<string> {
  const raw = text.length > maxRawLength ? '' : canonicalText(text).toLowerCase();
  const [, local = '', rest = ''] = /^([^@]*)@(.*)$/s.exec(raw.normalize('NFC')) ?? [];
  const isAsciiOnly = /^[\x21-\x7e]*$/.test(local);
  const problem = isAsciiOnly || !local.isWellFormed() ? undefined : findLookAlike(local);
  if (problem !== undefined) {
    return refuse('EMAIL_INVALID', `email ${problem}`, { field: 'email' });
  }
  const domain = rest.isWellFormed() ? toAsciiDomain(rest) : undefined;
  const email = `${local}@${domain ?? ''}`;
  const isWellFormed =
    !/^\.|\.\.|\.@/.test(email) &&
    findTextProblem(email, maxEmailLength) === undefined &&
    /^[^\s@<>,;:"()[\]\\\p{Cc}]{1,64}@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/u.test(
      email,
    );
  return isWellFormed
    ? succeed(email)
    : refuse('EMAIL_INVALID', 'email must look like name@example.com', { field: 'email' });
}
