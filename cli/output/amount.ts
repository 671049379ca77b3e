/** `-1234567.89` as people read it, `-1,234,567.89`. For tables and cards only: data is plain. */
export function groupThousands(decimal: string): string {
  return decimal.replace(/\d(?=(?:\d{3})+(?!\d))(?<!\.\d*)/g, '$&,');
}
