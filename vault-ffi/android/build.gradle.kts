buildscript {
    dependencies {
        // the Kotlin that compiles the module; the same as in ../kotlin/pom.xml
        classpath("org.jetbrains.kotlin:kotlin-gradle-plugin:2.4.21")
    }
}

plugins {
    id("com.android.library") version "9.0.0" apply false
}
