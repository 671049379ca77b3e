import type { Operations } from './gen/api.ts';
import type { CallOptions } from './options.ts';
import { WalletProblem } from './problem.ts';
import { sleep, type Sender } from './send.ts';

/** A file as it comes. */
export type Download = {
  readonly stream: ReadableStream<Uint8Array>;
  readonly fileName: string;
  readonly contentType: string;
};

export type ExportDownload = Download & {
  readonly size: number;
  /** Of the whole file, in hexadecimal. */
  readonly sha256: string;
};

export type StatementDownload = Download & {
  /** `incomplete`: transactions of the ledger are not included yet. */
  readonly status: 'complete' | 'incomplete' | 'inconsistent';
};

const maxResumes = 5;

/**
 * The file of an export. A connection that is lost is resumed at the byte where it was cut, of the
 * same file; the stream fails with a WalletProblem where that does not help.
 */
export async function downloadExport(
  sender: Sender,
  id: string,
  options: CallOptions = {},
): Promise<ExportDownload> {
  const open = (headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
    sender.open(
      'getExportsByIdFile',
      { path: { id }, headers: { accept: '*/*', ...headers } },
      options,
    );
  const first = await open();
  const etag = first.headers.get('etag') ?? '';
  const size = Number(first.headers.get('content-length') ?? Number.NaN);
  if (!/^"[0-9a-f]{64}"$/.test(etag) || !Number.isSafeInteger(size)) {
    await first.body?.cancel();
    throw invalid('the file has no size or checksum');
  }
  const chunks = resumeChunks({ first, size, etag, open, signal: options.signal });
  return { ...describeFile(first), stream: toStream(chunks), size, sha256: etag.slice(1, -1) };
}

type Resumable = {
  readonly first: Response;
  readonly size: number;
  readonly etag: string;
  readonly open: (headers: Readonly<Record<string, string>>) => Promise<Response>;
  readonly signal: AbortSignal | undefined;
};

async function* resumeChunks(file: Resumable): AsyncGenerator<Uint8Array, void, undefined> {
  const { first, size, etag, open, signal } = file;
  let response = first;
  let at = 0;
  for (let resumes = 0; ; resumes += 1) {
    let cause: unknown;
    try {
      for await (const chunk of readChunks(response)) {
        at += chunk.length;
        yield chunk;
      }
    } catch (error) {
      cause = error;
    }
    if (at === size) return;
    if (at > size) throw invalid('the file is longer than the server said');
    if (signal?.aborted === true || resumes === maxResumes) {
      const message = `the file ended after ${at} of ${size} bytes`;
      const reason = signal?.aborted === true ? 'CANCELLED' : 'CONNECTION_FAILED';
      throw new WalletProblem({ reason, message, cause });
    }
    await sleep(100 * 2 ** resumes, signal);
    response = await open({ range: `bytes=${at}-`, 'if-range': etag });
    // The whole file instead of the part: it is not the same any more.
    if (response.status !== 206) throw invalid('the file was replaced while it was downloaded');
  }
}

async function* readChunks(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  if (!body) return;
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Reads as fast as it is read. */
const toStream = (
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
): ReadableStream<Uint8Array> =>
  new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const next = await chunks.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
    cancel: async () => {
      await chunks.return();
    },
  });

const textTypes = { csv: 'text/csv', hledger: 'text/x-hledger' } as const;
export type StatementTextFormat = keyof typeof textTypes;
export type TextQuery = Omit<
  NonNullable<Operations['getStatements']['query']>,
  'operation' | 'order' | 'limit' | 'pageToken'
>;

/** A statement as a text. A range that is too long for that is refused: it needs an export. */
export async function downloadStatement(
  sender: Sender,
  {
    format,
    query,
    options,
  }: {
    readonly format: StatementTextFormat;
    readonly query: TextQuery;
    readonly options: CallOptions;
  },
): Promise<StatementDownload> {
  const headers = { accept: textTypes[format] };
  const response = await sender.open('getStatements', { query, headers }, options);
  const status = response.headers.get('statement-status');
  if (
    response.body &&
    (status === 'complete' || status === 'incomplete' || status === 'inconsistent')
  ) {
    return { ...describeFile(response), stream: response.body, status };
  }
  await response.body?.cancel();
  if (response.status !== 202) throw invalid('the statement does not say whether it is complete');
  throw new WalletProblem({
    reason: 'RANGE_TOO_LONG',
    message: 'the range is long: the statement is written to a file',
    status: response.status,
    hint: 'use exports.create, exports.wait and exports.download',
  });
}

function describeFile({ headers }: Response): { fileName: string; contentType: string } {
  const disposition = headers.get('content-disposition') ?? '';
  const fileName = /filename="([\w.-]+)"/.exec(disposition)?.[1] ?? 'statement';
  return { fileName, contentType: headers.get('content-type') ?? 'application/octet-stream' };
}

const invalid = (message: string): WalletProblem =>
  new WalletProblem({ reason: 'ANSWER_INVALID', message });
