export declare function runsOf(): readonly {
  readonly file: string;
  readonly group: string;
  readonly ids: readonly string[];
}[];
