import type { Requirement } from '../spec/requirements.js';

/** The ids that passing and failing tests cite. */
export interface Citations {
  readonly passed: readonly string[];
  readonly failed: readonly string[];
}
/** The part of jest's results that is read. */
export interface FileResult {
  readonly testFilePath: string;
  readonly testResults: readonly {
    readonly status: string;
    readonly ancestorTitles: readonly string[];
    readonly title: string;
  }[];
}
export declare function citedIn(name: string): string[];
export declare function citationsOf(testResults: readonly FileResult[]): Citations;
export declare function ranInFull(
  specs: readonly string[],
  globalConfig: { readonly testNamePattern?: string },
  results: { readonly testResults: readonly FileResult[]; readonly wasInterrupted?: boolean },
): boolean;
export declare function faultsOf(requirements: readonly Requirement[], citations: Citations): string[];
