#ifndef DEVRUN_CMINICLUSTER_H
#define DEVRUN_CMINICLUSTER_H

// What the minicluster needs of Linux and Swift cannot see, or cannot do safely: namespaces, and the way from a new
// process to a container's program.

#endif
