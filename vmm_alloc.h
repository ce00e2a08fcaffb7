#ifndef VMM_ALLOC_H
#define VMM_ALLOC_H
#include "vmm_config.h"
#endif
