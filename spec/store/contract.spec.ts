import { storeContract } from './contract.js';
import { cluster, memory, redis } from './homes.js';

for (const home of [memory, redis, cluster]) storeContract(home);
