# Skiplane. `make help` lists the targets; V=1 shows the commands.
#
# Every file in kernels/ is compiled once per instruction set (ISA): conv_direct.c becomes conv_direct.generic.o,
# conv_direct.avx2.o, ... each with -DSK_ISA=<isa> and that ISA's flags. Everything else is baseline code.
# All outputs go to $(BUILD), where configure keeps config.mk and config.h; `make BUILD=build-x` uses another one.

BUILD ?= build
FUZZ_RUNS ?= 20000
FUZZ_SECONDS ?=
FUZZ_CC ?= clang
SOAK_SECONDS ?= 60
SOAK_SEED ?= 1
# All of it takes hours; this a few minutes.
BENCH_FLAGS ?= --threads=1 --benchmark_filter='^(fma_peak|net/resnet(18|50)/auto|conv/resnet(18|50)/).*/t1/real_time$$'
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- Configuration: made when it is missing or older than configure ----------------------------------------------

# These need none.
WITHOUT_CONFIG := help clean distclean format api-reference dist deb
# A bare machine gets its packages by itself for these two (and for nothing else).
NEED := $(if $(filter demo check,$(MAKECMDGOALS)),spng turbojpeg) $(if $(filter check,$(MAKECMDGOALS)),criterion)

ifneq ($(filter-out $(WITHOUT_CONFIG),$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/config.mk

comma := ,
empty :=
need := $(if $(HOST),,$(addprefix --need=,$(subst $(empty) ,$(comma),$(strip $(NEED)))))
configure = ./configure --build-dir=$(BUILD) $(CONFIGURE_ARGS)
# Only once: a part that stays missing after the installation must not send make in circles.
ifeq ($(MAKE_RESTARTS)$(HOST),)
ifneq ($(filter $(NEED),$(MISSING)),)
$(BUILD)/config.mk: FORCE
endif
endif
$(BUILD)/config.mk: configure
	@$(configure) $(need) || { code=$$?; [ $$code = 3 ] && [ -n "$(need)" ] || exit $$code; \
	  ./configure --install-deps $(CONFIGURE_ARGS) && $(configure); }
endif

# ---- Sources and objects ------------------------------------------------------------------------------------------

KERNELS   := $(wildcard kernels/*.c)
# What reads ONNX files needs ONNX's schema as C, which is made at build time where protobuf-c is.
ONNX      := $(wildcard resnet/onnx_*.c)
BASELINE  := $(filter-out $(if $(filter 1,$(HAVE_ONNX)),,$(ONNX)),$(wildcard dispatch/*.c resnet/*.c))
REFERENCE := $(wildcard reference/*.c)
MAIN      := bench/skiplane.c
BENCH     := $(wildcard bench/*.cc bench/benchmark_*.c)
SHARED    := $(filter-out $(MAIN) $(BENCH),$(wildcard bench/*.c)) $(wildcard bench/peers/*.c)
TESTS     := $(wildcard tests/test_*.c)
CONCURRENT := tests/concurrent.c
TOOLS     := $(filter-out $(TESTS) $(CONCURRENT),$(wildcard tests/*.c))
FUZZERS   := $(wildcard tests/fuzz/fuzz_*.c)
EXAMPLES  := $(wildcard examples/*.c)

onnx_schema     := $(if $(filter 1,$(HAVE_ONNX)),$(BUILD)/onnx/onnx.pb-c)
kernel_objects  := $(foreach isa,$(ISAS),$(KERNELS:%.c=$(BUILD)/%.$(isa).o))
library_objects := $(kernel_objects) $(BASELINE:%.c=$(BUILD)/%.o) $(onnx_schema:=.o)
shared_objects  := $(SHARED:%.c=$(BUILD)/%.o) $(REFERENCE:%.c=$(BUILD)/%.o)
main_object     := $(MAIN:%.c=$(BUILD)/%.o)
bench_objects   := $(addprefix $(BUILD)/,$(addsuffix .o,$(basename $(BENCH))))
test_objects    := $(TESTS:%.c=$(BUILD)/%.o)
tool_objects    := $(TOOLS:%.c=$(BUILD)/%.o)
fuzz_programs   := $(FUZZERS:%.c=$(BUILD)/%)

version_part = $(shell sed -n 's/^.define SK_VERSION_$(1) //p' include/skiplane.h)
VERSION := $(call version_part,MAJOR).$(call version_part,MINOR).$(call version_part,PATCH)
SONAME  := libskiplane.so.$(call version_part,MAJOR)
# "REVISION SECONDS": what git says of the tree and when it was committed. A tarball carries it in .revision; a tree with
# neither is as old as the file that every release changes. Git of a folder around this one is not asked.
revision = $(shell { [ -e .git ] && name=$$(git describe --always --abbrev=12 --dirty 2>/dev/null) && \
  echo "$$name $$(git log -1 --format=%ct)"; } || cat .revision 2>/dev/null || echo "unknown $$(date -r CHANGELOG.md +%s)")
archive := $(BUILD)/libskiplane.a
shared  := $(BUILD)/libskiplane.so.$(VERSION)
program := $(if $(wildcard $(MAIN)),$(BUILD)/skiplane)
bench   := $(if $(BENCH),$(if $(filter 1,$(HAVE_BENCHMARK)),$(BUILD)/skiplane-bench))
tools   := $(TOOLS:%.c=$(BUILD)/%)
unit    := $(if $(TESTS),$(if $(filter 1,$(HAVE_CRITERION)),$(BUILD)/tests/run-unit))
# What the program prints about itself; a program for another system needs a way to run. A page for each of its commands.
pages     := $(BUILD)/skiplane.1 $(patsubst %,$(BUILD)/skiplane-%.1,$(shell sed -n 's/^    {\.name = "\(.*\)",$$/\1/p' $(MAIN)))
generated := $(if $(program),$(if $(and $(HOST),$(if $(RUNNER),,1)),,$(pages) $(BUILD)/skiplane.bash))
# The documented path is ./skiplane; other build folders keep their programs to themselves.
top     := $(if $(filter build,$(BUILD)),$(notdir $(program) $(bench)))

# ---- Flags --------------------------------------------------------------------------------------------------------

# Without OpenMP its pragmas are to be ignored, and silently.
WARNINGS := -Wall -Wextra -Wshadow -Wconversion $(WERROR) $(if $(OPENMP_CFLAGS),,-Wno-unknown-pragmas)
INCLUDES := -I$(BUILD) -I. -Iinclude -D_GNU_SOURCE $(CPPFLAGS) $(LIBRARY_CFLAGS)
# After the user's flags, for the results hang on them: a fused multiply-add only where the source has one, and no
# link-time optimisation, which could carry AVX-512 code of one object into the baseline code of another.
NUMERICS := -ffp-contract=off -fno-lto
common   := $(INCLUDES) $(WARNINGS) -MMD -MP -fPIC -fvisibility=hidden
baseline := $(common) -O2 $(CFLAGS) $(SANITIZER_FLAGS) $(OPENMP_CFLAGS) $(NUMERICS)
kernel_flags := $(CFLAGS) $(SANITIZER_FLAGS) -O3 -fomit-frame-pointer -fno-math-errno $(NUMERICS)
kernel   := $(common) $(kernel_flags)
# Sanitized kernels of vectors take minutes to compile. Those named here do without the undefined behaviour sanitizer, which
# the others of the one source have, and have the address sanitizer's checks as calls, in half the time or less. With these
# clang leaves a loop rolled here and there, which it need not tell: it is slower, no more.
hasty_gcc   := avx512
hasty_clang := sse41 avx2 avx512 neon
hasty_flags_gcc   := -fno-sanitize=undefined --param asan-instrumentation-with-call-threshold=0
hasty_flags_clang := -fno-sanitize=undefined -mllvm -asan-instrumentation-with-call-threshold=0 -Wno-pass-failed
sanitized_kernel = $(if $(findstring address,$(SANITIZER_FLAGS)),\
  $(if $(filter $(hasty_$(COMPILER)),$(1)),$(hasty_flags_$(COMPILER))))
cxx      := $(common) -O2 $(CXXFLAGS) $(SANITIZER_FLAGS) $(BENCHMARK_CFLAGS) $(NUMERICS)
link     := $(LDFLAGS) $(SANITIZER_FLAGS)
# What the programs need beyond the library: the peers that they compare it with.
peer_libs := $(ONEDNN_LIBS) $(XNNPACK_LIBS)

Q := $(if $(filter 1,$(V)),,@)
say = $(if $(Q),@mkdir -p $(@D) && echo '  $(1) $@',@mkdir -p $(@D))

# ---- Build --------------------------------------------------------------------------------------------------------

all: $(archive) $(shared) $(program) $(bench) $(top) $(generated)

# Changed flags mean another build.
config := $(BUILD)/config.mk Makefile

define isa_rule
$(BUILD)/kernels/%.$(1).o: kernels/%.c $(config)
	$$(call say,CC   )
	$(Q)$(CC) -std=c17 $(kernel) $(call sanitized_kernel,$(1)) $(ISA_FLAGS_$(1)) -DSK_ISA=$(1) -c -o $$@ $$<
endef
$(foreach isa,$(ISAS),$(eval $(call isa_rule,$(isa))))

# Its functions get our prefix: a program that links this library statically may have them, too.
ifneq ($(onnx_schema),)
$(onnx_schema).c: $(ONNX_PROTO) $(config)
	$(call say,PROTO)
	$(Q)protoc-c --c_out=$(@D) -I $(dir $(ONNX_PROTO)) $(ONNX_PROTO)
	$(Q)sed -i 's/\bonnx__/sk_onnx__/g' $(onnx_schema).c $(onnx_schema).h
$(onnx_schema).h: $(onnx_schema).c ;
$(onnx_schema).o: $(onnx_schema).c
	$(call say,CC   )
	$(Q)$(CC) -std=c17 $(baseline) -c -o $@ $<
$(patsubst %.c,$(BUILD)/%.o,$(ONNX) resnet/model.c $(wildcard bench/onnx_*.c tests/test_onnx_*.c tests/fuzz/fuzz_onnx.c)): \
  $(onnx_schema).h
endif

# Their loops are plain, and comparing whole networks, convolutions and points waits for them.
$(BUILD)/reference/%.o $(BUILD)/bench/verify_chains.o $(BUILD)/bench/winograd_accuracy.o $(BUILD)/bench/softmax_regression.o: \
  baseline += -O3
$(BUILD)/tests/%.o: baseline += $(CRITERION_CFLAGS)
$(BUILD)/bench/peers/onednn%.o: baseline += $(ONEDNN_CFLAGS)
$(BUILD)/bench/peers/xnnpack.o: baseline += $(XNNPACK_CFLAGS)
$(BUILD)/%.o: %.c $(config)
	$(call say,CC   )
	$(Q)$(CC) -std=c17 $(baseline) -c -o $@ $<

$(BUILD)/%.o: %.cc $(config)
	$(call say,CXX  )
	$(Q)$(CXX) -std=c++17 $(cxx) -c -o $@ $<

$(archive): $(library_objects)
	$(call say,AR   )
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

# The header's functions, from the preprocessed header: SK_API has become a visibility attribute.
$(BUILD)/symbols.txt: include/skiplane.h $(config)
	$(Q)$(CC) -E -P -Iinclude include/skiplane.h | awk 'BEGIN { RS = ";" } /visibility/ { \
	  gsub(/__attribute__[(][(][^)]*[)][)][)]/, ""); if (match($$0, /sk_[a-z0-9_]+[ \n]*[(]/)) { \
	  name = substr($$0, RSTART, RLENGTH); gsub(/[^a-z0-9_]/, "", name); print name } }' | LC_ALL=C sort >$@

$(BUILD)/symbols.map: $(BUILD)/symbols.txt
	$(Q){ echo 'SKIPLANE_0 {'; echo 'global:'; sed 's/$$/;/' $<; echo 'local: *;'; echo '};'; } >$@

# What `git describe` says of the tree, its date, and how kernels are compiled (but for where); the file changes only when
# that does.
kernel_words = $(filter-out -ffile-prefix-map=% -fdebug-prefix-map=%,$(strip $(CPPFLAGS) $(kernel_flags)))
$(BUILD)/revision.h: FORCE
	$(Q)mkdir -p $(@D) && set -- $(revision) && { printf '#define SK_BUILD_REVISION "%s"\n' "$$1"; \
	  printf '#define SK_BUILD_DATE "%s"\n' "$$(date -u -d "@$$2" +%F)"; \
	  printf '#define SK_KERNEL_FLAGS "%s"\n' '$(subst ",\",$(kernel_words))'; } >$@.new && \
	  if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi
$(BUILD)/bench/context.o $(BUILD)/bench/skiplane.o $(BUILD)/tests/fuzz/fuzz_options.o: $(BUILD)/revision.h

# The compiler's dependencies do not name what the assembler includes.
$(BUILD)/bench/embedded.o: $(shell sed -n 's/^SK_EMBEDDED(.*"\(.*\)").*/\1/p' bench/embedded.def)

# A sanitized library has references that only the program's runtime resolves: no -z defs there.
$(shared): $(library_objects) $(BUILD)/symbols.map
	$(call say,LINK )
	$(Q)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--version-script,$(BUILD)/symbols.map \
	  $(if $(SANITIZER_FLAGS),,-Wl$(comma)-z$(comma)defs) -Wl,--as-needed $(link) -o $@ $(library_objects) $(LIBS)
	$(Q)ln -sf $(@F) $(BUILD)/$(SONAME) && ln -sf $(@F) $(BUILD)/libskiplane.so

$(BUILD)/skiplane: $(main_object) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(peer_libs) $(LIBS)

$(BUILD)/skiplane.1: $(BUILD)/skiplane
	$(call say,MAN  )
	$(Q)$(RUNNER) $< help --man >$@

$(BUILD)/skiplane-%.1: $(BUILD)/skiplane
	$(call say,MAN  )
	$(Q)$(RUNNER) $< help $* --man >$@

$(BUILD)/skiplane.bash: $(BUILD)/skiplane
	$(call say,BASH )
	$(Q)$(RUNNER) $< help --completion >$@

$(BUILD)/skiplane-bench: $(bench_objects) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CXX) $(link) -o $@ $^ $(BENCHMARK_LIBS) $(peer_libs) $(LIBS)

$(BUILD)/tests/run-unit: $(test_objects) $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(CRITERION_LIBS) $(peer_libs) $(LIBS)

# Programs of one file each that are no tests but belong to them: measurements, generators.
$(tools): %: %.o $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(peer_libs) $(LIBS)

# Of the public API alone, so that a build for it needs no more than the library.
$(BUILD)/tests/concurrent: $(BUILD)/tests/concurrent.o $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -o $@ $^ $(LIBS)

ifneq ($(top),)
$(top): %: $(BUILD)/%
	$(Q)ln -sf $< $@
endif

# ---- Use ----------------------------------------------------------------------------------------------------------

skiplane_path := $(if $(filter build,$(BUILD)),./skiplane,$(BUILD)/skiplane)

demo: all
	$(RUNNER) $(skiplane_path) info
	$(RUNNER) $(skiplane_path) profile resnet50
	$(RUNNER) $(skiplane_path) classify --model resnet20-cifar --weights resnet/shapes/shapes-resnet20.safetensors \
	  --labels resnet/shapes/labels.txt resnet/shapes/pictures

bench: all
	@[ -n "$(bench)" ] || { echo "skiplane-bench needs Google Benchmark: ./configure --install-deps, ./configure"; exit 1; }
	$(RUNNER) $(BUILD)/skiplane-bench $(BENCH_FLAGS)

growth: all
	bench/growth --skiplane $(skiplane_path) --out $(BUILD)/growth $(GROWTH_FLAGS)

# The figures of docs/numerics.md, from which the points of the Winograd kernels were chosen.
points := $(BUILD)/winograd
POINTS_TILES ?= 2000
POINTS_SEED ?= 1
points_network = $(BUILD)/tests/winograd_error $(POINTS_TILES) $(POINTS_SEED) $(points)/$(1).csv \
  $(1) ../shared/models/$(1)10.safetensors ../shared/cifar10/images
winograd-points: $(BUILD)/tests/winograd_error $(BUILD)/tests/winograd_search
	@mkdir -p $(points)
	$(BUILD)/tests/winograd_error $(POINTS_TILES) $(POINTS_SEED) $(points)/uniform.csv
	if [ -d ../shared/models ]; then $(call points_network,resnet20-cifar) && $(call points_network,resnet56-cifar); \
	else echo 'SKIPPED trained weights: there is no ../shared/models'; fi
	$(BUILD)/tests/winograd_search $(POINTS_TILES) $(POINTS_SEED) $(points)/search.csv
	tests/winograd_plot $(points)/uniform.csv $(points)/search.csv $(points)/points.svg

# ---- Tests --------------------------------------------------------------------------------------------------------

# Everything tests/run and the tests/check_* scripts need to know; NATIVE is set by check-arm.
test_environment = BUILD='$(BUILD)' SKIPLANE='$(BUILD)/skiplane' RUNNER='$(RUNNER)' ARCH='$(ARCH)' ISAS='$(ISAS)' \
  CC='$(CC)' NM='$(NM)' OBJDUMP='$(OBJDUMP)' COMPILER='$(COMPILER)' SANITIZERS='$(SANITIZERS)' \
  EMULATED='$(EMULATED)' HAVE_CRITERION='$(HAVE_CRITERION)' LIBS='$(LIBS)' NATIVE='$(NATIVE)' MAKE='$(MAKE)'

check: all $(unit) $(tools)
	+@$(test_environment) tests/run

# What tells in seconds whether a build is sound; needs nothing that is not built anyway.
check-quick: all
	@$(test_environment) QUICK=1 tests/run

# The full sweeps: every combination of the checker, and the generic kernels over all pictures of ../shared.
check-exhaustive: all $(unit)
	OMP_WAIT_POLICY=passive SKIPLANE_EXHAUSTIVE=1 $(unit) --filter 'pretrained/*' --timeout 3600
	OMP_WAIT_POLICY=passive $(BUILD)/skiplane verify --exhaustive
	+@STRICT=1 $(test_environment) tests/check_compare
	+@$(test_environment) tests/check_mutants

# The allocator without what it keeps per thread, which fills up by chance: a few hundred bytes a round are to be seen.
soak: $(BUILD)/tests/soak
	OMP_WAIT_POLICY=passive GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1 \
	  $(RUNNER) $< $(SOAK_SECONDS) $(SOAK_SEED)

check-valgrind: all
	@$(test_environment) tests/memcheck

# Faults planted one at a time, each of which verify must catch.
check-mutants: all
	+@$(test_environment) tests/check_mutants

# What the checker finds becomes what it has to find: to be looked at with git diff, and committed.
baseline: all
	OMP_WAIT_POLICY=passive $(RUNNER) $(BUILD)/skiplane verify --write-baseline tests/verify.baseline

# The ABI that the library has becomes the one that it has to have; tests/check_abi says when it refuses.
abi: $(shared)
	@$(test_environment) tests/check_abi --write

api-reference:
	awk -f docs/api.awk include/skiplane.h >docs/api.md.new && mv docs/api.md.new docs/api.md

check-torch: all
	@$(test_environment) tests/check_torch

# Other configurations live in folders of their own, configured once and again when configure changes.
ifeq ($(filter build-sanitize build-thread build-emulated build-arm build-arm-clang build-fuzz build-coverage,$(BUILD)),)
build-sanitize/config.mk: configure
	./configure --build-dir=build-sanitize --enable-sanitizers $(CONFIGURE_ARGS)

# A BLAS is not instrumented; the other parts are no part of the library.
build-thread/config.mk: configure
	./configure --build-dir=build-thread --enable-thread-sanitizer CC=clang CXX=clang++ --without-openblas \
	  --without-benchmark --without-criterion --without-onednn --without-xnnpack --without-onnx

build-emulated/config.mk: configure
	./configure --build-dir=build-emulated $(CONFIGURE_ARGS) --emulate-avx512 --without-onednn --without-xnnpack --without-onnx

# Optimised little, so that a line is a line; kernels still are, and no less counted.
build-coverage/config.mk: configure
	./configure --build-dir=build-coverage --with-criterion CFLAGS='-g -O1 --coverage' CXXFLAGS='-g -O1 --coverage' \
	  LDFLAGS=--coverage $(CONFIGURE_ARGS)

build-fuzz/config.mk: configure
	./configure --build-dir=build-fuzz --enable-sanitizers CC=$(FUZZ_CC) CFLAGS='-g -O1 -fsanitize=fuzzer-no-link' \
	  --without-openblas --without-benchmark --without-criterion --without-onednn --without-xnnpack

build-arm/sysroot/.done: tests/arm_sysroot
	tests/arm_sysroot build-arm/sysroot

build-arm/config.mk: configure build-arm/sysroot/.done
	./configure --build-dir=build-arm --host=aarch64-linux-gnu --sysroot=build-arm/sysroot \
	  --without-benchmark --without-criterion $(if $(WERROR),--enable-werror)

# For its object code alone.
build-arm-clang/config.mk: configure build-arm/sysroot/.done
	./configure --build-dir=build-arm-clang --host=aarch64-linux-gnu --sysroot=build-arm/sysroot CC=clang \
	  --without-benchmark --without-criterion $(if $(WERROR),--enable-werror)

check-sanitize: build-sanitize/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-sanitize check

check-thread-sanitizer: build-thread/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-thread concurrent-run

coverage: build-coverage/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-coverage coverage-report

check-avx512-emulated: build-emulated/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-emulated check

check-arm: all build-arm/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-arm NATIVE=$(BUILD)/skiplane check

arm_builds := build-arm $(if $(shell command -v clang),build-arm-clang)
neon-throughput: $(arm_builds:=/config.mk)
	+@for build in $(arm_builds); do $(MAKE) --no-print-directory BUILD=$$build neon-objects || exit; done
	+@$(MAKE) --no-print-directory BUILD=build-arm build-arm/tests/repeat_conv
	tests/neon_throughput $(arm_builds)

fuzz: build-fuzz/config.mk
	+@$(MAKE) --no-print-directory BUILD=build-fuzz fuzz-run
endif

# Archer must say that it is there, or the sanitizer would take OpenMP's barriers for none. Of libraries that are not
# instrumented, as OpenMP's own, it sees half: those it leaves out.
concurrent-run: $(BUILD)/tests/concurrent
	@mkdir -p $(BUILD)/check/concurrent
	@ARCHER_OPTIONS=verbose=1 TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1 OMP_WAIT_POLICY=passive \
	  $< resnet/shapes/shapes-resnet20.safetensors resnet/shapes/pictures/arrow-00.png $(BUILD)/check/concurrent \
	  >$(BUILD)/check/concurrent.log 2>&1 && grep 'Archer detected' $(BUILD)/check/concurrent.log; \
	code=$$?; cat $(BUILD)/check/concurrent.log; exit $$code

coverage-report: all $(unit)
	@$(test_environment) tests/coverage

neon-objects: $(filter %.neon.o,$(kernel_objects))

.SECONDARY: $(FUZZERS:%.c=$(BUILD)/%.o)
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(shared_objects) $(archive)
	$(call say,LINK )
	$(Q)$(CC) $(link) -fsanitize=fuzzer -o $@ $^ $(peer_libs) $(LIBS)

# The corpus in the tree is only read: what the fuzzer finds goes to a folder in $(BUILD).
fuzz-run: $(fuzz_programs)
	@BUILD=$(BUILD) FUZZ_RUNS=$(FUZZ_RUNS) FUZZ_SECONDS=$(FUZZ_SECONDS) tests/fuzz/run $(fuzz_programs)

# ---- Install ------------------------------------------------------------------------------------------------------

root = $(DESTDIR)
manuals := $(wildcard docs/*.1) $(filter %.1,$(generated))
completions := $(root)$(datadir)/bash-completion/completions
peer_files := $(wildcard bench/peers/*.py)
# Places go by the prefix where they are below it: pkg-config can then be told another one.
below_prefix = $(patsubst $(prefix)/%,$${prefix}/%,$(1))
cmake_folder := $(root)$(libdir)/cmake/skiplane
cmake_files := skiplane-config.cmake skiplane-config-version.cmake
# The headers go by their way from there: what is installed can be moved as a whole.
cmake_values = -e 's|@VERSION@|$(VERSION)|g' -e 's|@MAJOR@|$(call version_part,MAJOR)|' -e 's|@SHARED@|$(notdir $(shared))|' \
  -e 's|@SONAME@|$(SONAME)|' -e 's|@LIBS@|$(subst $(empty) ,;,$(LIBS))|' \
  -e "s|@HEADERS@|$$(realpath -ms --relative-to=$(libdir)/cmake/skiplane $(includedir))|"

install: all
	@[ -z "$(EMULATED)" ] || { echo 'make: $(BUILD) emulates $(EMULATED): it is for tests and is not installed' >&2; exit 1; }
	install -d $(root)$(includedir) $(root)$(libdir)/pkgconfig $(root)$(bindir)
	install -m 644 include/skiplane.h $(root)$(includedir)/
	install -m 644 $(archive) $(root)$(libdir)/
	install -m 755 $(shared) $(root)$(libdir)/
	ln -sf $(notdir $(shared)) $(root)$(libdir)/$(SONAME)
	ln -sf $(SONAME) $(root)$(libdir)/libskiplane.so
	install -m 755 $(program) $(root)$(bindir)/
	$(if $(bench),install -m 755 $(bench) $(root)$(bindir)/)
	install -d $(root)$(datadir)/skiplane/peers
	install -m 644 $(peer_files) $(root)$(datadir)/skiplane/peers/
	install -m 755 bench/peers/install $(root)$(datadir)/skiplane/peers/
	$(if $(manuals),install -d $(root)$(mandir)/man1 && install -m 644 $(manuals) $(root)$(mandir)/man1/)
	$(if $(generated),install -d $(completions) && install -m 644 $(BUILD)/skiplane.bash $(completions)/skiplane)
	printf '%s\n' 'prefix=$(prefix)' 'libdir=$(call below_prefix,$(libdir))' \
	  'includedir=$(call below_prefix,$(includedir))' '' 'Name: skiplane' \
	  'Description: SIMD kernels for convolutional residual networks' 'Version: $(VERSION)' \
	  'Libs: -L$${libdir} -lskiplane' 'Libs.private: $(LIBS)' 'Cflags: -I$${includedir}' \
	  >$(root)$(libdir)/pkgconfig/skiplane.pc
	chmod 644 $(root)$(libdir)/pkgconfig/skiplane.pc
	install -d $(cmake_folder)
	for file in $(cmake_files); do \
	  sed $(cmake_values) cmake/$$file.in >$(cmake_folder)/$$file && chmod 644 $(cmake_folder)/$$file || exit; \
	done

uninstall:
	rm -f $(root)$(includedir)/skiplane.h $(root)$(libdir)/libskiplane.a $(root)$(libdir)/libskiplane.so \
	  $(root)$(libdir)/$(SONAME) $(root)$(libdir)/$(notdir $(shared)) $(root)$(libdir)/pkgconfig/skiplane.pc \
	  $(root)$(bindir)/skiplane $(root)$(bindir)/skiplane-bench \
	  $(addprefix $(root)$(mandir)/man1/,$(notdir $(manuals))) $(completions)/skiplane \
	  $(addprefix $(root)$(datadir)/skiplane/peers/,install $(notdir $(peer_files))) \
	  $(addprefix $(cmake_folder)/,$(cmake_files))
	-rmdir $(root)$(datadir)/skiplane/peers $(root)$(datadir)/skiplane $(cmake_folder)

# ---- Packages -----------------------------------------------------------------------------------------------------

release := skiplane-$(VERSION)
tarball := $(BUILD)/$(release).tar.gz

# The same bytes wherever and whenever it is made of a revision: names sorted, times those of the commit, no owners, modes
# without the umask. What is in it stands in its MANIFEST, so that an unpacked one makes itself again without git.
dist:
	$(Q)rm -rf $(BUILD)/dist && mkdir -p $(BUILD)/dist
	$(Q){ { [ -e .git ] && git -c core.quotepath=off ls-files; } || cat MANIFEST; } >$(BUILD)/dist/list || \
	  { echo 'make: no list of files: this is neither a git tree nor an unpacked tarball' >&2; exit 1; }
	$(Q)LC_ALL=C sort $(BUILD)/dist/list >$(BUILD)/dist/MANIFEST
	$(Q)set -- $(revision) && echo "$$1 $$2" >$(BUILD)/dist/.revision && \
	  tar -cf $(BUILD)/dist/tar --format=ustar --mtime="@$$2" --owner=0 --group=0 --numeric-owner --hard-dereference \
	    --mode=u+rw,go+rX,go-w --transform='s,^,$(release)/,S' --no-recursion --verbatim-files-from \
	    -T $(BUILD)/dist/MANIFEST -C $(BUILD)/dist MANIFEST .revision && \
	  gzip -9n $(BUILD)/dist/tar && mv $(BUILD)/dist/tar.gz $(tarball) && rm -r $(BUILD)/dist && echo "$(tarball): revision $$1"

# Built of the tarball alone, as whoever packages it would: build/deb/*.deb. DEB_BUILD_OPTIONS are dpkg-buildpackage's.
deb: dist
	$(Q)rm -rf $(BUILD)/deb && mkdir -p $(BUILD)/deb
	$(Q)cp $(tarball) $(BUILD)/deb/skiplane_$(VERSION).orig.tar.gz && tar -xzf $(tarball) -C $(BUILD)/deb
	cd $(BUILD)/deb/$(release) && env -u BUILD -u MAKEFLAGS -u MAKELEVEL -u MFLAGS dpkg-buildpackage -us -uc

# Functions that the header has gained since: they are new in this version. A function that is gone is an error of
# dpkg-gensymbols, and another ABI.
symbols_file := debian/libskiplane0.symbols
debian-symbols: $(BUILD)/symbols.txt
	$(Q)while read -r name; do grep -q "^ $$name@" $(symbols_file) || echo " $$name@SKIPLANE_0 $(VERSION)"; done <$< \
	  >$(BUILD)/symbols.new
	$(Q){ grep -v '^ ' $(symbols_file); grep -h '^ ' $(symbols_file) $(BUILD)/symbols.new | LC_ALL=C sort; } \
	  >$(symbols_file).new && mv $(symbols_file).new $(symbols_file) && rm $(BUILD)/symbols.new

# ---- Style --------------------------------------------------------------------------------------------------------

folders := include kernels kernels/simd dispatch reference resnet bench bench/peers tests tests/fuzz tests/emulation tests/preload \
  examples
c_files := $(wildcard $(addsuffix /*.c,$(folders)) $(addsuffix /*.cc,$(folders)))
styled  := $(c_files) $(wildcard $(addsuffix /*.h,$(folders)) $(addsuffix /*.def,$(folders)))
scripts := configure $(shell grep -lE '^#!/bin/(ba)?sh' tests/* tests/fuzz/* bench/peers/* .ci/run debian/tests/* 2>/dev/null)
TIDY    := clang-analyzer-*,bugprone-*,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions,$\
  -bugprone-macro-parentheses,-bugprone-reserved-identifier,-bugprone-implicit-widening-of-multiplication-result,$\
  -clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling
tidy     = clang-tidy --quiet --warnings-as-errors='*' $(if $(wildcard .clang-tidy),,--checks='-*,$(TIDY)')
# A file at a time: clang-tidy 14 carries the analyzer's state over from one file to the next, and then sees ghosts.
each     = xargs -P 2 -I{}
tidy_isa := $(or $(filter avx2,$(ISAS)),$(filter neon,$(ISAS)),generic)

format:
	clang-format -i $(styled)

lint: $(BUILD)/config.mk $(BUILD)/revision.h $(onnx_schema:=.h)
	clang-format --dry-run -Werror $(styled)
	printf '%s\n' $(BASELINE) $(REFERENCE) $(wildcard bench/*.c bench/peers/*.c) | $(each) $(tidy) {} -- -std=c17 $(INCLUDES) \
	  $(WARNINGS) $(ONEDNN_CFLAGS) $(XNNPACK_CFLAGS)
	printf '%s\n' $(EXAMPLES) | $(each) $(tidy) {} -- -std=c17 -Iinclude $(WARNINGS)
	printf '%s\n' $(KERNELS) | $(each) $(tidy) {} -- -std=c17 $(INCLUDES) $(WARNINGS) $(ISA_FLAGS_$(tidy_isa)) \
	  -DSK_ISA=$(tidy_isa)
	cppcheck --quiet --error-exitcode=1 --enable=warning,portability --inline-suppr --std=c11 \
	  --suppress=missingIncludeSystem '--suppress=preprocessorErrorDirective:$(BUILD)/onnx/*' \
	  $(INCLUDES) $(BASELINE) $(REFERENCE) $(wildcard bench/*.c bench/peers/*.c) $(EXAMPLES)
	if command -v shellcheck >/dev/null; then shellcheck $(scripts); else echo 'no shellcheck here: scripts unchecked'; fi
	if command -v mypy >/dev/null; then cd python && mypy; else echo 'no mypy here: types of the Python package unchecked'; fi
	if command -v black >/dev/null; then cd python && black --check .; else echo 'no black here: its layout unchecked'; fi

# ---- Housekeeping -------------------------------------------------------------------------------------------------

clean:
	rm -rf $(addprefix $(BUILD)/,kernels dispatch resnet reference bench onnx tests fuzz check mutants winograd coverage dist deb) \
	  $(BUILD)/skiplane $(BUILD)/skiplane-bench $(BUILD)/libskiplane.* $(BUILD)/symbols.* $(BUILD)/revision.h \
	  $(pages) $(BUILD)/skiplane.bash $(tarball)
	$(if $(filter build,$(BUILD)),rm -f skiplane skiplane-bench)

# Only folders that configure made.
distclean:
	for folder in build build-* $(BUILD); do if [ -f $$folder/config.log ]; then rm -rf $$folder; fi; done
	rm -f skiplane skiplane-bench config.log

help:
	@echo 'make                  build the library, ./skiplane and, with Google Benchmark, ./skiplane-bench'
	@echo 'make demo             profile ResNet-50 on this CPU, then classify pictures; installs what is missing'
	@echo 'make check            all tests; installs what is missing; SKIPLANE_REQUIRE_ISA=avx512 forbids skipping it'
	@echo 'make check-quick      a part of them that takes seconds and needs no other package'
	@echo 'make check-sanitize   the tests under the address and undefined behaviour sanitizers'
	@echo 'make check-valgrind   the generic kernels, a small network and files under memcheck, a minute (needs valgrind)'
	@echo 'make check-thread-sanitizer  concurrent plans, networks, runs and files under the thread sanitizer (needs clang, libomp)'
	@echo 'make check-avx512-emulated  the tests of the AVX-512 kernels on a CPU without it, run by AVX2 (needs SIMDe)'
	@echo 'make check-arm        the Arm build, run under qemu-aarch64'
	@echo 'make neon-throughput  the Arm kernels'\'' loops in a model of Neoverse N2, and their instructions counted under emulation'
	@echo 'make check-exhaustive full sweeps of the checker, the trained networks and check-mutants: some 20 minutes'
	@echo 'make check-mutants    plant faults in the kernels, one at a time, and see verify catch each (docs/mutants.md): minutes'
	@echo 'make soak             work of every kind for SOAK_SECONDS=$(SOAK_SECONDS) in one process, whose memory must stay flat'
	@echo 'make baseline         write tests/verify.baseline, the bits and errors that the tests hold the kernels to'
	@echo 'make abi              write tests/abi.txt, the ABI that the tests hold the library to'
	@echo 'make api-reference    write docs/api.md from include/skiplane.h'
	@echo 'make check-torch      compare with torchvision (Debian: python3-torchvision)'
	@echo 'make coverage         the lines that the tests run, per folder and file, as text and pages, in build-coverage/coverage'
	@echo 'make fuzz             run each fuzz target for FUZZ_RUNS=$(FUZZ_RUNS) inputs, or FUZZ_SECONDS (needs clang)'
	@echo 'make bench            time the layers of ResNet-18 and 50, some minutes; BENCH_FLAGS= are those of skiplane-bench'
	@echo 'make growth           time an image against batch and input size, half an hour; GROWTH_FLAGS= are those of bench/growth'
	@echo 'make winograd-points  measure and search the points of the Winograd kernels, some minutes, to $(BUILD)/winograd'
	@echo 'make install          install to the prefix given to configure; DESTDIR= stages it'
	@echo 'make uninstall        remove what install put there'
	@echo 'make dist             a tarball of the tree, the same bytes for the same revision: $(BUILD)/skiplane-VERSION.tar.gz'
	@echo 'make deb              Debian packages, built of that tarball, in $(BUILD)/deb (needs debhelper)'
	@echo 'make debian-symbols   add the functions that are new in the header to those of the Debian package'
	@echo 'make lint             clang-format, clang-tidy, cppcheck, shellcheck, mypy, black; changes nothing'
	@echo 'make format           rewrite the sources with clang-format'
	@echo 'make clean            remove what was built; distclean also removes the configurations'
	@echo 'make help             this list'
	@echo 'BUILD=DIR chooses the build folder [build]; V=1 shows the commands'

FORCE:
.PHONY: all demo bench growth winograd-points check check-quick check-exhaustive check-mutants soak baseline abi \
  api-reference check-torch check-sanitize check-thread-sanitizer concurrent-run check-valgrind check-avx512-emulated \
  check-arm neon-throughput neon-objects coverage coverage-report fuzz fuzz-run install uninstall dist deb debian-symbols format lint \
  clean distclean help FORCE

-include $(patsubst %.o,%.d,$(library_objects) $(shared_objects) $(main_object) $(bench_objects) $(test_objects) \
  $(tool_objects) $(CONCURRENT:%.c=$(BUILD)/%.o) $(FUZZERS:%.c=$(BUILD)/%.o))
