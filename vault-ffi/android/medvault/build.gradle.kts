plugins {
    id("com.android.library")
}

// what cargo makes; ./build-aar makes it before it calls Gradle
val made = rootDir.resolve("../../target")

android {
    namespace = "medvault.android"
    compileSdk = 36

    defaultConfig {
        // BiometricPrompt and StrongBox came with 28
        minSdk = 28
        consumerProguardFiles("consumer-rules.pro")
        ndk {
            abiFilters += listOf("arm64-v8a", "armeabi-v7a", "x86_64")
        }
    }

    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_17
        targetCompatibility = JavaVersion.VERSION_17
    }

    sourceSets.named("main") {
        // the generated bindings, and the helpers that all Kotlin apps share
        kotlin.directories += made.resolve("bindings/kotlin").path
        kotlin.directories += rootDir.resolve("../kotlin/src/main/kotlin").path
        jniLibs.directories += made.resolve("android/jniLibs").path
    }

    packaging {
        // built without symbols already
        jniLibs.keepDebugSymbols += "**/libvault_ffi.so"
    }

    lint {
        // the generated code uses java.lang.ref.Cleaner only where the system has it (API 33)
        disable += "NewApi"
    }
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-android:1.11.0")
    implementation("net.java.dev.jna:jna:5.19.1@aar")
    api("androidx.work:work-runtime:2.11.0")
}
