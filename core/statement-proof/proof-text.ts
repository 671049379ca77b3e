import { printPart, readPart } from './parts.ts';
import { faultOf, proofVersion, type ProofFault, type ProofPart } from './types.ts';

type Kind = ProofPart['kind'];

/** The keys of a proof in their order. A list has a line for each item. */
const sections: readonly {
  readonly kind: Kind;
  readonly key: string;
  readonly form: 'value' | 'value or null' | 'list';
}[] = [
  { kind: 'file', key: 'file', form: 'value' },
  { kind: 'statement', key: 'statement', form: 'value' },
  { kind: 'start', key: 'previous', form: 'value' },
  { kind: 'before', key: 'entryBefore', form: 'value or null' },
  { kind: 'line', key: 'lines', form: 'list' },
  { kind: 'after', key: 'entryAfter', form: 'value or null' },
  { kind: 'digest', key: 'followingDigests', form: 'list' },
  { kind: 'leaf', key: 'leaf', form: 'value' },
  { kind: 'checkpoint', key: 'checkpoint', form: 'value' },
];
const lastKey = 'checkpoint';
const opening = `{"statementProof":${proofVersion},`;
const listEnd = '],';

/** No line of a proof is longer: an entry takes less than 64 KiB, whatever its texts are. */
export const maxProofLineBytes = 128 * 1024;

/** Writes a proof part by part. `add` gives undefined for a part that is out of order. */
export function createProofWriter() {
  let at = 0;
  let items = 0;
  const openList = (key: string): string => `"${key}":[\n`;

  /** The end of the section that is written, or all of one that has nothing. */
  const pass = (): string | undefined => {
    const section = sections[at];
    const isEmpty = items === 0;
    if (!section || (isEmpty && section.form === 'value')) return undefined;
    [at, items] = [at + 1, 0];
    if (section.form === 'list') return `${isEmpty ? openList(section.key) : '\n'}${listEnd}\n`;
    return isEmpty ? `"${section.key}":null,\n` : '';
  };

  return {
    add: (part: ProofPart): string | undefined => {
      let text = at === 0 && items === 0 ? `${opening}\n` : '';
      while (sections[at]?.kind !== part.kind) {
        const passed = pass();
        if (passed === undefined) return undefined;
        text += passed;
      }
      const { key = '', form } = sections[at] ?? {};
      items += 1;
      if (form === 'list') return `${text}${items === 1 ? openList(key) : ',\n'}${printPart(part)}`;
      if (items > 1) return undefined;
      return `${text}"${key}":${printPart(part)}${key === lastKey ? '}' : ','}\n`;
    },
  };
}

type Read =
  | { readonly ok: true; readonly part: ProofPart | undefined }
  | { readonly ok: false; readonly fault: ProofFault };

const nothing: Read = { ok: true, part: undefined };

/**
 * Reads a proof line by line (without line ends), and gives each part once. Every line must be as
 * `createProofWriter` writes it; the first that is not is named.
 */
export function createProofReader() {
  let lineNumber = 0;
  let at = -1;
  let isInList = false;
  /** Whether a comma behind the item before says that another follows; undefined without one. */
  let isMoreSaid: boolean | undefined;

  const fail = (field: string, message: string): Read => ({
    ok: false,
    fault: faultOf(`line ${lineNumber} of the proof`, field, message),
  });

  const readValue = (kind: Kind, key: string, text: string): Read => {
    const read = readPart(kind, text);
    if ('part' in read) return { ok: true, part: read.part };
    const field = read.badField === '' ? key : read.badField;
    return fail(field, 'has no valid value, or is not written as a proof is');
  };

  const readItem = (kind: Kind, key: string, text: string): Read => {
    if (text === listEnd) {
      if (isMoreSaid === true) return fail(key, 'ends where another item must follow');
      isInList = false;
      return nothing;
    }
    if (isMoreSaid === false) return fail(key, 'goes on without a comma');
    isMoreSaid = text.endsWith(',');
    return readValue(kind, key, isMoreSaid ? text.slice(0, -1) : text);
  };

  const readKey = (text: string): Read => {
    at += 1;
    const section = sections[at];
    if (!section) return fail('checkpoint', 'is followed by more');
    const { key, form, kind } = section;
    if (form === 'list') {
      if (text !== `"${key}":[`) return fail(key, 'is missing');
      [isInList, isMoreSaid] = [true, undefined];
      return nothing;
    }
    const [prefix, suffix] = [`"${key}":`, key === lastKey ? '}' : ','];
    if (!text.startsWith(prefix) || !text.endsWith(suffix)) return fail(key, 'is missing');
    const value = text.slice(prefix.length, -suffix.length);
    return value === 'null' && form === 'value or null' ? nothing : readValue(kind, key, value);
  };

  return {
    add: (text: string): Read => {
      lineNumber += 1;
      if (lineNumber === 1) return text === opening ? nothing : failOpening(text, fail);
      const section = sections[at];
      return isInList && section ? readItem(section.kind, section.key, text) : readKey(text);
    },
    /** What is missing at the end. */
    end: (): ProofFault | undefined => {
      const key = sections[isInList ? at : at + 1]?.key;
      return key === undefined
        ? undefined
        : faultOf(`line ${lineNumber + 1} of the proof`, key, 'is missing: the proof is cut off');
    },
  };
}

function failOpening(text: string, fail: (field: string, message: string) => Read): Read {
  const version = /^\{"statementProof":(\d{1,9}),$/.exec(text)?.[1];
  return version === undefined
    ? fail('statementProof', 'is missing: this is no proof of a statement')
    : fail('statementProof', `is version ${version}; this program knows version ${proofVersion}`);
}
