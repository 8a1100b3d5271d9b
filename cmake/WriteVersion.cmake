# Writes OUTPUT with the program's version, commit and whether the tree had uncommitted changes.
execute_process(COMMAND git -C ${SOURCE_DIR} rev-parse --short=12 HEAD OUTPUT_VARIABLE commit
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
execute_process(COMMAND git -C ${SOURCE_DIR} status --porcelain --untracked-files=no OUTPUT_VARIABLE changes
                ERROR_QUIET)
if(NOT commit)
  set(commit unknown)
endif()
if(changes)
  set(dirty true)
else()
  set(dirty false)
endif()
set(text "#pragma once
#define RITZFLOW_VERSION \"${VERSION}\"
#define RITZFLOW_COMMIT \"${commit}\"
#define RITZFLOW_DIRTY ${dirty}
")
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT "${old}" STREQUAL "${text}")
  file(WRITE ${OUTPUT} "${text}")
endif()
