import { storeContract } from './contract.js';
import { cluster, documentedUser, encrypted, memory, redis } from './homes.js';

for (const home of [memory, redis, encrypted, documentedUser, cluster]) storeContract(home);
