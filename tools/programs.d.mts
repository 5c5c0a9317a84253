export declare const CHROMIUM_NAMES: readonly string[];
export declare function findProgram(names: readonly string[]): string | undefined;
export declare function findRedisServer(): string | undefined;
export declare function findChromium(): string | undefined;
