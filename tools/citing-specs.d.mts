export declare function textsOf(source: string): string[];
export declare function citingSpecs(): Map<string, string[]>;
