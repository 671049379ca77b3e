import type { Row } from '../support/row.ts';
import { batchRow } from './batch.ts';
import { eventsInListenerRow, eventsInRow } from './events-in.ts';
import { exportRow } from './export.ts';
import { httpBatchRow, httpNdjsonRow, httpRow } from './http.ts';
import { largeRow } from './large.ts';
import { limitRow } from './limit.ts';
import { overloadRow } from './overload.ts';
import { pipelineListenerRow, pipelineRow } from './pipeline.ts';
import { readRow } from './read.ts';
import { signInRow } from './sign-in.ts';
import { startRow } from './start.ts';
import { hotRow, streamRow, transferRow } from './stream.ts';
import { tableRow } from './table.ts';
import { twoDaemonsRow } from './two-daemons.ts';
import { batchUnaryRow, manyUnaryRow, unaryRow } from './unary.ts';
import { verifyRow } from './verify.ts';

/** In the order in which they run. */
export const rows: readonly Row[] = [
  startRow,
  signInRow,
  streamRow,
  hotRow,
  transferRow,
  twoDaemonsRow,
  limitRow,
  unaryRow,
  manyUnaryRow,
  batchUnaryRow,
  httpRow,
  httpBatchRow,
  httpNdjsonRow,
  overloadRow,
  eventsInRow,
  eventsInListenerRow,
  pipelineRow,
  pipelineListenerRow,
  readRow,
  largeRow,
  verifyRow,
  exportRow,
  batchRow,
  tableRow,
];
