import { storeContract } from './contract.js';
import { cluster, encrypted, memory, redis } from './homes.js';

for (const home of [memory, redis, encrypted, cluster]) storeContract(home);
